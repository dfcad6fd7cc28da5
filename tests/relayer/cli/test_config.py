from pathlib import Path

import pytest

from relayer import config, redaction
from relayer.errors import ConfigurationError

SAMPLE = Path(__file__).parents[3] / "samples" / "makegood.yaml"
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
    return loaded.configuration.rpc_url.get_secret_value()


def test_defaults(place):
    loaded = place.load()
    assert loaded.configuration.rpc_url is None
    assert loaded.configuration.poll_seconds == 15
    assert not loaded.configuration.key.configured
    assert set(loaded.origins.values()) == {"default"}
    with pytest.raises(ConfigurationError, match="no RPC endpoint"):
        loaded.configuration.needed_rpc_url()


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
    with pytest.raises(ConfigurationError, match="not in both"):
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
        ("key: {keystor: x}\n", r'key\.keystor: unknown field; allowed: file, keystore, passwordFile; did you mean "keystore"'),
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
        ("key: {file: a, keystore: b}\n", "key: a key lies in a keystore or in a file"),
        ("pollSeconds: 1\npollSeconds: 2\n", r"makegood\.yaml:2:1: pollSeconds: this key stands in line 1"),
        ("[]\n", "expected a mapping"),
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


def test_a_configuration_is_made_once(place):
    with pytest.raises(ValueError, match="frozen"):
        place.load().configuration.poll_seconds = 3
