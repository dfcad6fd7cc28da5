"""The files that start a relayer: they fit each other, the configuration, and the tools that read them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from relayer import config
from relayer.config.names import CONFIG_VARIABLE, VARIABLES

ROOT = Path(__file__).parents[3]
FILES = ROOT / "scripts" / "operations"
UNIT = (FILES / "makegood-relayer.service").read_text()
MANUAL = (ROOT / "docs" / "operations.md").read_text()
DOCKERFILE = (FILES / "Dockerfile").read_text()
COMPOSE = YAML(typ="safe").load(FILES / "compose.yaml")
# What the relayer may take to end, and what is allowed on top before it is killed [s].
ENDS_WITHIN = 10


@pytest.mark.parametrize(
    "text",
    [UNIT, DOCKERFILE, (FILES / "compose.yaml").read_text()],
    ids=["unit", "image", "compose"],
)
def test_the_variables_are_those_of_the_configuration(text):
    named = set(re.findall(r"\bMAKEGOOD_[A-Z_]+", text))
    assert named
    assert named - {*VARIABLES, CONFIG_VARIABLE} == set()


@pytest.mark.parametrize(
    "environment",
    [
        dict(re.findall(r"\b([A-Z_]+)=(\S+)", DOCKERFILE.rpartition("\nFROM ")[2])),
        dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT.replace("%S", "/var/lib"), re.MULTILINE)),
    ],
    ids=["image", "unit"],
)
def test_the_database_lies_in_the_state_directory_unless_the_configuration_says_otherwise(
    environment, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", environment["XDG_STATE_HOME"])
    file = tmp_path / "makegood.yaml"
    environment = {**environment, "MAKEGOOD_CONFIG": str(file)}
    file.write_text("pollSeconds: 20\n")
    usual = config.load(environ=environment, folder=tmp_path).configuration
    assert usual.database_target() == Path("/var/lib/makegood/relayer.sqlite")
    (tmp_path / "database").write_text("postgresql://makegood:word@postgres/makegood")
    file.write_text(f"database: file:{tmp_path}/database\nrpcUrl: [http://a, http://b]\n")
    other = config.load(environ=environment, folder=tmp_path).configuration
    assert other.database_target() == "postgresql://makegood:word@postgres/makegood"
    assert len(other.rpc_urls()) == 2


def systemd_analyze(tmp_path, *command):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    unit = tmp_path / "makegood-relayer.service"
    unit.write_text(UNIT.replace("/opt/makegood/bin/makegood", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", *command, unit], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_systemd_understands_the_unit(tmp_path):
    assert systemd_analyze(tmp_path, "verify") == (0, "")


def test_the_unit_is_exposed_as_little_as_the_manual_says(tmp_path):
    code, said = systemd_analyze(tmp_path, "security", "--offline=true", "--no-pager")
    if code and "offline" in said:
        pytest.skip("this systemd-analyze asks the running system only")
    seen = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", said)[1]
    told = re.search(r"an exposure of (\d+\.\d+) of 10", MANUAL)[1]
    later = 0.3  # other versions of systemd may know of more to hide
    assert float(seen) <= float(told) + later


def test_the_manual_installs_with_a_tool_that_takes_the_lock_file():
    """pip refuses to install a folder while a constraint has hashes."""
    assert "uv pip install --python /opt/makegood/bin/python" in MANUAL
    assert not re.search(r"bin/pip install .*requirements\.lock", MANUAL)


def test_a_stop_leaves_the_relayer_its_time_everywhere():
    patience = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1])
    assert patience >= 2 * ENDS_WITHIN
    relayer = COMPOSE["services"]["relayer"]
    assert int(relayer["stop_grace_period"].removesuffix("s")) >= 2 * ENDS_WITHIN
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE


def test_the_image_runs_as_nobody_and_asks_for_its_own_health():
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    port = re.search(r"MAKEGOOD_OPERATIONS_LISTEN=0\.0\.0\.0:(\d+)", final)[1]
    assert f"http://127.0.0.1:{port}/livez" in final
    assert COMPOSE["services"]["relayer"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    scraped = YAML(typ="safe").load(FILES / "prometheus.yaml")["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [f"relayer:{port}"]}]


def test_only_sources_are_sent_to_docker():
    ignored = (FILES / "Dockerfile.dockerignore").read_text().split("\n")
    lines = [line for line in ignored if line and not line.startswith("#")]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert sent == {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in sent)


def test_no_secret_is_written_into_compose():
    names = {
        name for service in COMPOSE["services"].values() for name in service.get("secrets", [])
    }
    assert names == set(COMPOSE["secrets"])
    for service in COMPOSE["services"].values():
        for value in service.get("environment", {}).values():
            assert "://" not in value
            if "/run/secrets/" in value:
                assert value.rpartition("/")[2] in service["secrets"]


def test_every_published_port_is_for_this_machine_only():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
