"""The commands of scripts/README.md, run as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from relayer import bindings
from scripts import deploy, deployments
from scripts.toolchain import run_command
from tests import samples
from tests.scripts.agreements import signed_document

# Starting brownie takes seconds, and much longer while it compiles.
pytestmark = pytest.mark.timeout(300)

# What an entry in brownie's list of networks does, for a network that only this test has.
_LIVE = """
import os, sys
from scripts.toolchain import brownie_cli, brownie_home
brownie_home.prepare()
os.environ["HOME"] = str(brownie_home.HOME)
import scripts.toolchain.brownie_fixes
from brownie._config import CONFIG
CONFIG.networks["live"] = {"id": "live", "host": "$MAKEGOOD_RPC_URL", "chainid": "11155111"}
brownie_cli.main()
"""


def _run(*arguments, start=("-m", "scripts.toolchain.brownie_cli"), **variables):
    return subprocess.run(
        [sys.executable, *start, "run", *arguments],
        cwd=deployments.FOLDER.parent,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def _local(url, *arguments, **variables):
    """On a chain that runs already."""
    port = url.rsplit(":", 1)[1]
    finished = _run(*arguments, "--network", "anvil", MAKEGOOD_CHAIN_PORT=port, **variables)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "\x1b" not in finished.stdout, "no colours in a pipe"
    assert "Warning" not in finished.stderr
    return finished.stdout


def test_an_agreement_from_deployment_to_funding(local, anvil_url, tmp_path):
    assert "Recorded in" in _local(anvil_url, "scripts/deploy.py")
    deployment = deployments.recorded(local.chain_id)
    deploy.mint(samples.wallet(2).address, "300")

    document = signed_document(tmp_path / "agreement.yaml", local, deployment)
    consumer = {"MAKEGOOD_ACCOUNT": "test:2"}
    path = str(document.path)
    said = _local(anvil_url, "scripts/register.py", "main", path, **consumer)
    assert f"Agreement 0x{document.agreement_id.hex()} is open" in said
    said = _local(anvil_url, "scripts/fund.py", "main", path, "1", "2", **consumer)
    assert "Windows 1 to 2 are paid for" in said

    escrow = bindings.Escrow(local.w3, deployment.escrow)
    assert [escrow.window(document.agreement_id, w)[0] for w in range(4)] == [
        "funded", "funded", "funded", "unfunded",
    ]  # fmt: skip


def test_a_public_network(sepolia, sepolia_url, tmp_path):
    key = Account.create()
    keystore, password = tmp_path / "deployer.json", tmp_path / "password"
    keystore.write_text(json.dumps(Account.encrypt(key.key, "secret", kdf="pbkdf2", iterations=2)))
    password.write_text("secret")
    password.chmod(0o600)
    sepolia.w3.provider.make_request("anvil_setBalance", [key.address, hex(10**18)])
    variables = {
        "MAKEGOOD_RPC_URL": sepolia_url,
        "MAKEGOOD_ACCOUNT": str(keystore),
        "MAKEGOOD_PASSWORD_FILE": str(password),
    }
    command = ("scripts/deploy.py", "main", "--network", "live")

    refused = _run(*command, start=("-c", _LIVE), **variables)
    assert refused.returncode == 3
    assert "MAKEGOOD_YES=1 confirms" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert sepolia.nonce(key.address) == 0

    deployed = _run(*command, start=("-c", _LIVE), **variables, MAKEGOOD_YES="1")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "Sepolia" in deployed.stdout
    assert len(deployments.recorded(11155111).contracts) == 4
    assert sepolia.nonce(key.address) == 3


NETWORKS = {"anvil": {"host": "http://127.0.0.1"}, "sepolia": {"host": "$MAKEGOOD_RPC_URL"}}


@pytest.mark.parametrize(
    ("file", "function", "arguments", "network", "code", "said"),
    [
        ("scripts/register.py", None, [], None, 2, "register.py main takes PATH; found nothing"),
        ("scripts/fund.py", "main", ["x", "3"], None, 2, "takes PATH FIRST COUNT; found x 3"),
        ("scripts/deploy.py", "main", ["x"], None, 2, "main takes nothing; found x"),
        ("scripts/deploy.py", "mnt", [], None, 2, 'did you mean "mint"?'),
        ("scripts/deploy.py", "deploy_all", [], None, 2, "allowed: adapter, main, mint, periphery"),
        ("scripts/regster.py", None, [], None, 2, 'did you mean "register.py"?'),
        (".", None, [], None, 2, "there is no script"),
        ("", None, [], None, 2, "there is no script"),
        ("scripts/deploy.py", None, [], "sepolai", 2, 'did you mean "sepolia"?'),
        ("scripts/deploy.py", None, [], "sepolia", 3, "MAKEGOOD_RPC_URL is not set"),
    ],
)
def test_a_slip_in_a_command_is_one_message(
    monkeypatch, capsys, file, function, arguments, network, code, said
):
    monkeypatch.delenv("MAKEGOOD_RPC_URL", raising=False)
    given = {"<filename>": file, "<function>": function, "<arg>": arguments, "--network": network}
    with pytest.raises(SystemExit) as ended:
        run_command.check(given, NETWORKS)
    assert ended.value.code == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("file", ["scripts/deploy.py", "scripts/deploy", "deploy", "/elsewhere.py"])
def test_a_script_may_be_named_in_every_way_that_brownie_knows(monkeypatch, file):
    monkeypatch.setenv("MAKEGOOD_RPC_URL", "https://rpc.example")
    given = {"<filename>": file, "<function>": None, "<arg>": [], "--network": "sepolia"}
    run_command.check(given, NETWORKS)


def test_brownie_is_not_even_begun_with_a_wrong_command():
    ran = _run("scripts/deploy.py", "--network", "sepolia", MAKEGOOD_RPC_URL="")
    assert ran.returncode == 3
    assert ran.stdout == ""
    assert ran.stderr.startswith("Error: MAKEGOOD_RPC_URL is not set")


def test_the_chain_that_brownie_starts_has_its_folder_until_brownie_ends_it():
    """brownie ends it in an exit hook; until then it goes on writing."""
    code = """
import atexit, os
from scripts.toolchain import brownie_cli
def at_exit():
    open(os.environ["TMPDIR"] + "/written", "w").close()
    print(os.environ["TMPDIR"])
brownie_cli.run_brownie = lambda: atexit.register(at_exit)
brownie_cli.main()
"""
    ran = _run(start=("-c", code))
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert not Path(ran.stdout.strip()).exists()
