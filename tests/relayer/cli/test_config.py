from pathlib import Path

import pytest

from relayer import config, redaction
from relayer.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "makegood.yaml"
API_KEY = "0123456789abcdefSECRET"


@pytest.fixture
def place(tmp_path):
    """A project and a user, both without configuration."""

    class Place:
        project = tmp_path / "project"
        user = tmp_path / "user" / "makegood"

        @staticmethod
        def load(*, flags=None, file=None, **environ):
            environ = {"XDG_CONFIG_HOME": str(tmp_path / "user"), **environ}
            return config.load(file=file, flags=flags, environ=environ, folder=Place.project)

        @staticmethod
        def write(text, folder="project", name="makegood.yaml"):
            path = getattr(Place, folder) / name
            path.write_text(text)
            return path

    Place.project.mkdir()
    Place.user.mkdir(parents=True)
    return Place


def url(loaded):
    [only] = loaded.configuration.rpc_urls()
    return only


def test_defaults(place):
    loaded = place.load()
    assert loaded.configuration.rpc_url is None
    assert loaded.configuration.poll_seconds == 15
    assert not loaded.configuration.key.configured
    assert set(loaded.origins.values()) == {"default"}
    with pytest.raises(ConfigurationError, match="no RPC endpoint"):
        loaded.configuration.rpc_urls()


def test_what_beats_what(place):
    place.write("rpcUrl: http://user\npollSeconds: 1\nlogFormat: json\n", "user")
    loaded = place.load()
    assert (url(loaded), loaded.origins["rpcUrl"]) == (
        "http://user",
        f"{place.user}/makegood.yaml:1",
    )
    project = place.write("# comment\nrpcUrl: http://project\npollSeconds: 2\n")
    loaded = place.load()
    assert (url(loaded), loaded.origins["rpcUrl"]) == ("http://project", f"{project}:2")
    other = place.write("rpcUrl: http://named\n", name="other.yaml")
    loaded = place.load(MAKEGOOD_CONFIG="other.yaml")
    assert url(loaded) == "http://named"
    assert loaded.configuration.poll_seconds == 1  # ./makegood.yaml is not read then
    assert url(place.load(file=other, MAKEGOOD_CONFIG="nowhere.yaml")) == "http://named"
    loaded = place.load(MAKEGOOD_RPC_URL="http://environment")
    assert (url(loaded), loaded.origins["rpcUrl"]) == ("http://environment", "MAKEGOOD_RPC_URL")
    loaded = place.load(flags={"--rpc-url": "http://flag"}, MAKEGOOD_RPC_URL="http://environment")
    assert (url(loaded), loaded.origins["rpcUrl"]) == ("http://flag", "--rpc-url")
    assert (loaded.configuration.poll_seconds, loaded.origins["pollSeconds"]) == (2, f"{project}:3")
    assert loaded.origins["logFormat"] == f"{place.user}/makegood.yaml:3"
    assert loaded.origins["database"] == "default"


def test_a_named_file_must_exist(place):
    with pytest.raises(ConfigurationError, match="cannot read"):
        place.load(file=Path("nowhere.yaml"))
    with pytest.raises(ConfigurationError, match="cannot read"):
        place.load(MAKEGOOD_CONFIG="nowhere.yaml")


def test_empty_values_in_the_environment_are_none(place):
    assert place.load(MAKEGOOD_RPC_URL="", MAKEGOOD_CONFIG="").configuration.rpc_url is None
    place.write("# nothing yet\n")
    assert place.load().configuration.rpc_url is None


def test_a_layer_that_names_one_kind_of_key_takes_back_the_other(place):
    place.write("key: {keystore: k.json, passwordFile: p}\n")
    key = place.load(MAKEGOOD_KEY_FILE="key").configuration.key
    assert (key.keystore, key.file) == (None, place.project / "key")
    key = place.load(MAKEGOOD_KEY_FILE="key", flags={"--keystore": "/k"}).configuration.key
    assert (key.keystore, key.file) == (Path("/k"), None)
    assert key.password_file == place.project / "p"
    with pytest.raises(ConfigurationError, match="name one of them"):
        place.load(MAKEGOOD_KEY_FILE="key", MAKEGOOD_KEYSTORE="k")


def test_paths_are_relative_to_whoever_names_them(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "relayer.yaml"
    file.write_text("database: state/db\nagreements: [a/*.yaml, /abs.yaml]\n")
    loaded = place.load(file=file)
    assert loaded.configuration.database == tmp_path / "elsewhere/state/db"
    assert loaded.configuration.agreements == [f"{tmp_path}/elsewhere/a/*.yaml", "/abs.yaml"]
    loaded = place.load(MAKEGOOD_AGREEMENTS="a.yaml:b.yaml", flags={"--database": "db"})
    assert loaded.configuration.agreements == [f"{place.project}/a.yaml", f"{place.project}/b.yaml"]
    assert loaded.configuration.database == place.project / "db"


def test_agreements_are_files_and_patterns(place):
    for name in ("b.yaml", "a.yaml", "a.signatures.json"):
        place.write("", name=name)
    place.write("agreements: ['*.yaml', a.yaml]\n", name="makegood.yml")
    loaded = place.load(file=Path("makegood.yml"))
    assert [path.name for path in loaded.configuration.agreement_files()] == ["a.yaml", "b.yaml"]
    loaded = place.load(MAKEGOOD_AGREEMENTS="nowhere.yaml")
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml, which is no file"):
        loaded.configuration.agreement_files()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpcURL: http://x\n", r'makegood\.yaml:1:1: rpcURL: unknown field; .*did you mean "rpcUrl"'),
        ("key: {keystor: x}\n", r'key\.keystor: unknown field; allowed: awsKms, file, keystore, passwordFile; did you mean "keystore"'),
        ("sources: {cloudwach: {}}\n", r'sources\.cloudwach: .*did you mean "cloudwatch"'),
        ("sources: [x]\n", "sources: expected a mapping"),
        ("logFormat: jsn\n", 'did you mean "json"'),
        ("pollSeconds: 0\n", "pollSeconds: input should be greater than 0"),
        ("pollSeconds: true\n", "pollSeconds: expected a number"),
        ("maxFeePerGasGwei: lots\n", "maxFeePerGasGwei: "),
        ("agreements: a.yaml\n", "agreements: expected a list"),
        ("rpcUrl: localhost:8545\n", "rpcUrl: write the address of an RPC endpoint"),
        ("rpcUrl: ${NOT_SET}\n", "rpcUrl: the environment variable NOT_SET is not set"),
        ("rpcUrl: file:/nowhere\n", r"rpcUrl: cannot read the file /nowhere \(FileNotFoundError\)"),
        ("key: {file: a, keystore: b}\n", "key: a key lies in a keystore, in a file or in awsKms"),
        ("pollSeconds: 1\npollSeconds: 2\n", r"makegood\.yaml:2:1: pollSeconds: this key stands in line 1"),
        ("[]\n", "expected a mapping"),
        ("rpcUrl:\n  - http://a\n  - localhost\n", r"makegood\.yaml:3:5: rpcUrl\[1\]: write the address of an RPC endpoint"),
        ("rpcUrl: [http://a, http://a]\n", "rpcUrl: an endpoint is named twice"),
        ("rpcUrl: []\n", "rpcUrl: write at least one"),
        ("rpcUrl: ['${NOT_SET}']\n", r"rpcUrl\[0\]: the environment variable NOT_SET is not set"),
        ("database: mysql://host/name\n", "database: write the path of a file, or the address of a PostgreSQL"),
        ("database: postgresql://host\n", "database: write the path of a file, or the address of a PostgreSQL"),
        ("batcher: '0x12'\n", "batcher: write an address"),
        ("confirmations: 1001\n", "confirmations: input should be less than or equal to 1000"),
        ("maxGasPerTransaction: 999999\n", "greater than or equal to 1000000"),
        ("maxGasPerTransaction: 16777217\n", "less than or equal to 16777216"),
        ("retentionDays: 29\n", "retentionDays: input should be greater than or equal to 30"),
        ("key: {awsKms: {keyId: alias/x}}\n", r"key\.awsKms\.region: is missing"),
        ("key: {awsKms: {keyId: a, region: Frankfurt}}\n", r"key\.awsKms\.region: write a region of AWS"),
        ("key: {file: a, awsKms: {keyId: a, region: eu-central-1}}\n", "key: a key lies in a keystore, in a file or in awsKms"),
        ("exchange: {listen: '8720'}\n", r"exchange\.listen: write a host and a port"),
        ("exchange: {listen: '127.0.0.1:0'}\n", r"exchange\.listen: write a host and a port"),
        ("exchange: {listen: 'http://127.0.0.1:1'}\n", r"exchange\.listen: write a host and a port"),
        ("exchange: {peers: {'0x12': 'http://x'}}\n", r"exchange\.peers.*: write an address"),
        ("exchange:\n  peers:\n    '0x70997970C51812dc3A010C7d01b50e0d17dc79C8': x\n", r"makegood\.yaml:3:51: exchange\.peers.*: write the address of a reporter"),
        ("operations: {webhook: nowhere}\n", r"operations\.webhook: write the address of a webhook"),
        ("workers: maybe\n", "workers: expected true or false"),
    ],
)  # fmt: skip
def test_mistakes_are_found_at_their_line(place, text, message):
    place.write(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        place.load()
    assert caught.value.exit_code == 3


def test_mistakes_in_the_environment_name_the_variable(place):
    with pytest.raises(
        ConfigurationError, match="MAKEGOOD_POLL_SECONDS: it should be a valid number"
    ):
        place.load(MAKEGOOD_POLL_SECONDS="often")
    with pytest.raises(ConfigurationError, match="--rpc-url: write the address"):
        place.load(flags={"--rpc-url": "nonsense"})
    [notice] = place.load(MAKEGOOD_RPCURL="http://x").notices
    assert "MAKEGOOD_RPCURL means nothing" in notice
    assert 'did you mean "MAKEGOOD_RPC_URL"' in notice


def test_references_to_secrets(place, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(f"https://rpc.example.com/{API_KEY}\n")
    for text in (f"rpcUrl: file:{secret}", f"rpcUrl: ${{file:{secret}}}"):
        place.write(text)
        assert url(place.load()) == f"https://rpc.example.com/{API_KEY}"
    place.write("rpcUrl: https://rpc.example.com/v2/${RPC_KEY}\n")
    assert url(place.load(RPC_KEY=API_KEY)) == f"https://rpc.example.com/v2/{API_KEY}"
    place.write(
        "sources: {http_probe: {headers: {'https://a.b': {Authorization: 'Bearer ${T}'}}}}\n"
    )
    options = place.load(T=API_KEY).configuration.sources["http_probe"]
    assert options["headers"]["https://a.b"]["Authorization"] == "Bearer ${T}"


@pytest.mark.parametrize(
    "secret_url",
    [
        f"https://rpc.example.com/v2/{API_KEY}",
        f"https://rpc.example.com/?key={API_KEY}",
        f"https://user:{API_KEY}@rpc.example.com",
        f"https://{API_KEY}@rpc.example.com:8545/",
    ],
)
def test_secrets_are_shown_nowhere(place, secret_url):
    loaded = place.load(MAKEGOOD_RPC_URL=secret_url)
    shown = loaded.shown()
    assert shown["rpcUrl"].startswith("https://rpc.example.com")
    assert shown["rpcUrl"].endswith("/...")
    assert API_KEY not in f"{shown} {loaded!r} {loaded.configuration} {loaded.configuration!r}"
    assert any(API_KEY in secret for secret in loaded.configuration.secrets())


PEER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
WHOLE = f"""
rpcUrl: [https://a.example/v2/{API_KEY}, "https://b.example/${{RPC_KEY}}"]
database: postgresql://relayer:${{DB_PASSWORD}}@db.example/makegood
key: {{awsKms: {{keyId: alias/reporter, region: eu-central-1}}}}
batcher: "{PEER.lower()}"
confirmations: 0
exchange:
  listen: "[::1]:8720"
  peers:
    "{PEER.lower()}": https://peer.example/${{PEER_KEY}}
operations: {{listen: "127.0.0.1:9720", webhook: "${{HOOK}}"}}
workers: true
"""
PEER_KEY = "the-peer's-own-key-0123"
PASSWORD = "p@ss/w:rd #1"
WEBHOOK = f"https://hooks.example/services/T1/{API_KEY}x"


@pytest.fixture
def whole(place):
    place.write(WHOLE)
    return place.load(PEER_KEY=PEER_KEY, RPC_KEY=API_KEY[::-1], DB_PASSWORD=PASSWORD, HOOK=WEBHOOK)


def test_a_network_of_reporters_is_configured(whole):
    config = whole.configuration
    assert config.rpc_urls() == [
        f"https://a.example/v2/{API_KEY}",
        f"https://b.example/{API_KEY[::-1]}",
    ]
    assert config.rpc_agreement == 2
    assert (
        config.database_target()
        == "postgresql://relayer:p%40ss%2Fw%3Ard%20%231@db.example/makegood"
    )
    assert config.key.configured
    assert (config.key.aws_kms.key_id, config.key.aws_kms.region) == (
        "alias/reporter",
        "eu-central-1",
    )
    assert config.batcher == PEER
    assert (config.confirmations, config.max_gas_per_transaction) == (0, 12_000_000)
    assert config.exchange.listen == ("::1", 8720)
    assert config.exchange.peers == {PEER: f"https://peer.example/{PEER_KEY}"}
    assert config.operations.listen == ("127.0.0.1", 9720)
    assert config.operations.webhook.get_secret_value() == WEBHOOK
    assert config.workers is True


def test_no_secret_of_the_network_is_shown(whole):
    shown = whole.shown()
    assert shown["rpcUrl"] == ["https://a.example/...", "https://b.example/..."]
    assert shown["database"] == "postgresql://relayer@db.example/makegood"
    assert shown["database"] == whole.configuration.database_shown()
    assert shown["exchange.peers"] == {PEER: "https://peer.example/..."}
    assert shown["exchange.listen"] == "[::1]:8720"
    assert shown["operations.webhook"] == "https://hooks.example/..."
    assert shown["key.awsKms"]["keyId"] == "alias/reporter"
    secrets = (API_KEY, API_KEY[::-1], PEER_KEY, PASSWORD, "p%40ss%2Fw%3Ard%20%231", WEBHOOK)
    told = f"{shown} {whole!r} {whole.configuration} {whole.configuration!r}"
    for secret in secrets:
        assert secret not in told
        assert any(secret in hidden for hidden in whole.configuration.secrets())


def test_every_value_has_an_origin(whole):
    assert {name for name in whole.shown() if "sources." not in name} == set(whole.origins)
    assert whole.origins["exchange.listen"].endswith("makegood.yaml:8")
    assert whole.origins["exchange.pullSeconds"] == "default"


def test_a_database_is_a_file_unless_it_is_a_server(place):
    place.write("database: ${file:nowhere}/db\n")
    with pytest.raises(ConfigurationError, match="cannot read the file nowhere"):
        place.load()
    place.write("database: ${NAME}.sqlite\n")
    config = place.load(NAME="a b").configuration
    assert config.database_target() == place.project / "a b.sqlite"
    assert config.database_shown() == f"{place.project}/a b.sqlite"
    url = "postgresql:///makegood?host=/run/postgresql&password=geheim&sslmode=require"
    place.write(f"database: {url}\n")
    config = place.load().configuration
    assert config.database_target() == url
    assert "geheim" not in config.database_shown()
    assert "geheim" in config.secrets()
    assert "require" not in config.secrets()


def test_several_endpoints_in_one_word(place):
    config = place.load(MAKEGOOD_RPC_URL="http://a, http://b\nhttp://c").configuration
    assert config.rpc_urls() == ["http://a", "http://b", "http://c"]
    assert config.rpc_agreement == 2
    assert place.load(MAKEGOOD_RPC_URL="http://a").configuration.rpc_agreement == 1
    with pytest.raises(ConfigurationError, match="MAKEGOOD_RPC_URL: write the address"):
        place.load(MAKEGOOD_RPC_URL="http://a, b")


def test_a_layer_that_names_a_key_in_kms_takes_back_the_files_and_is_taken_back(place):
    place.write("key: {keystore: k.json}\n", "user")
    place.write("key: {awsKms: {keyId: alias/x, region: eu-central-1}}\n")
    key = place.load().configuration.key
    assert (key.keystore, key.aws_kms.key_id) == (None, "alias/x")
    key = place.load(MAKEGOOD_KEY_FILE="/key").configuration.key
    assert (key.keystore, key.aws_kms, key.file) == (None, None, Path("/key"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpcUrl: http://a\nrpcAgreement: 2\n", r"makegood\.yaml:2: rpcAgreement: 2 endpoints cannot agree where rpcUrl names 1"),
        ("workers: true\n", r"makegood\.yaml:1: workers: .* through PostgreSQL"),
        ("exchange: {listen: '0.0.0.0:1'}\noperations: {listen: '127.0.0.1:1'}\n", r"makegood\.yaml:2: operations\.listen: exchange\.listen is the same"),
        ("operations: {runwayCriticalDays: 20}\n", r"makegood\.yaml:1: operations\.runwayCriticalDays: must not be more"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together(place, text, message):
    place.write(text)
    with pytest.raises(ConfigurationError, match=message):
        place.load()


def test_layers_are_judged_together_not_each_alone(place):
    place.write("rpcAgreement: 2\nworkers: true\n")
    loaded = place.load(MAKEGOOD_RPC_URL="http://a http://b", MAKEGOOD_DATABASE="postgresql://h/n")
    assert loaded.configuration.rpc_agreement == 2
    place.write("exchange: {listen: '127.0.0.1:1'}\noperations: {listen: '127.0.0.2:1'}\n")
    place.load()


def test_options_of_adapters_are_shown_without_secrets():
    options = {
        "headers": {"https://a.b/": {"Authorization": "Bearer ${TOKEN}", "X": API_KEY}},
        "endpoint_url": f"https://user:{API_KEY}@host/path",
        "api_key": API_KEY,
        "passwords": [API_KEY, {"x": API_KEY}],
        "control": ["1.1.1.1:443"],
        "workers": 3,
    }
    shown = redaction.redacted(options)
    assert API_KEY not in str(shown)
    assert shown["headers"]["https://a.b/"]["Authorization"] == "${TOKEN}"
    assert shown["control"] == ["1.1.1.1:443"]
    assert shown["workers"] == 3
    assert shown["endpoint_url"] == "https://host/..."


def test_the_sample_is_valid(place):
    loaded = place.load(file=SAMPLE)
    assert loaded.configuration.max_fee_per_gas == 50 * 10**9
    assert loaded.configuration.database == SAMPLE.parent / "state/relayer.sqlite"
    from oracles import load
    from oracles.http_probe import HttpProbeOptions

    for name, options in loaded.configuration.sources.items():
        assert isinstance(load(name).Options.model_validate(options), HttpProbeOptions)


def test_every_field_and_variable_is_explained(whole):
    text = (ROOT / "docs" / "configuration.md").read_text()
    table = text[text.index("## Fields") : text.index("## Secrets")]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    named = {row.split("`")[1]: row for row in rows}
    named["operations.runwayCriticalDays"] = named["operations.runwayWarningDays"]
    assert set(named) == {*whole.origins, "sources"} - {"sources.http_probe"}
    for variable, location in config.VARIABLES.items():
        assert f"| `{variable}` |" in named[".".join(location)]


def test_a_configuration_is_made_once(place):
    with pytest.raises(ValueError, match="frozen"):
        place.load().configuration.poll_seconds = 3
