import json
import re

import pytest

from tests import samples

PROVIDER, CONSUMER = samples.wallet(1).address, samples.wallet(2).address
REPORTER = samples.reporter_wallets(1)[0].address
SETTLEMENT = (
    "--chain-id", 31337, "--escrow", samples.wallet(5).address, "--oracle", samples.wallet(6).address,
    "--token", samples.wallet(7).address, "--decimals", 6,
)  # fmt: skip
PARTIES = ("--provider", PROVIDER, "--consumer", CONSUMER, "--reporter", REPORTER)
REST = ("--fee", "1000", "--start", "2027-01-01", "--set", "check=abc")


def test_with_all_options_the_document_is_valid_at_once(makegood):
    ran = makegood("sla", "init", "--template", "aws-ec2-region", *PARTIES, *SETTLEMENT, *REST, "--json")  # fmt: skip
    assert ran.code == 0
    assert ran.json["missing"] == []
    assert ran.json["valid"]
    checked = makegood("sla", "validate", "aws-ec2-region.yaml", "--json")
    assert checked.code == 0
    assert checked.json["agreementId"] == ran.json["agreementId"]
    assert checked.json["feePerWindow"] == "1000.00"


def test_without_them_it_says_what_is_still_to_fill_in(makegood, home):
    ran = makegood("sla", "init", "--template", "aws-ec2-region", *PARTIES, "--json")
    assert ran.code == 0
    assert not ran.json["valid"]
    lines = (home / "aws-ec2-region.yaml").read_text().splitlines()
    for missing in ran.json["missing"]:
        assert "# FILL IN: " + missing["what"] in lines[missing["line"] - 1]
    fields = [missing["field"] for missing in ran.json["missing"]]
    assert "spec.settlement.token" in fields
    assert "spec.levels[0].indicator.dataSource.spec.dimensions.HealthCheckId" in fields
    assert makegood("sla", "validate", "aws-ec2-region.yaml").code == 3


def test_nothing_is_overwritten(makegood, home):
    file = home / "aws-ec2-region.yaml"
    file.write_text("mine")
    ran = makegood("sla", "init", "--template", "aws-ec2-region")
    assert ran.code == 3
    assert "is not overwritten" in ran.err
    assert file.read_text() == "mine"


def test_a_dash_writes_to_standard_output(makegood, home):
    ran = makegood("sla", "init", "--output", "-")
    assert ran.code == 0
    assert ran.out.startswith("# A service with a URL")
    assert list(home.iterdir()) == []


def test_the_list_names_every_template_with_its_parameters(makegood):
    from relayer.templates import templates

    listed = makegood("sla", "init", "--list", "--json").json
    assert [row["name"] for row in listed] == [template.name for template in templates()]
    by_name = {row["name"]: row for row in listed}
    assert set(by_name["aws-rds-single"]["parameters"]) == {"region", "canary"}
    assert by_name["gcp-gke-zonal"]["verified"] == "open"


def test_contracts_and_token_come_from_the_configured_agreements(makegood, home, agreement):
    (home / "makegood.yaml").write_text(json.dumps({"agreements": [str(agreement)]}))
    ran = makegood("sla", "init", "--template", "aws-ec2-region", *PARTIES, *REST, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["missing"] == []
    mine = makegood("sla", "validate", "aws-ec2-region.yaml", "--json").json
    theirs = makegood("sla", "validate", agreement, "--json").json
    assert {k: mine[k] for k in ("chainId", "escrow", "oracle", "token")} == {
        k: theirs[k] for k in ("chainId", "escrow", "oracle", "token")
    }


def test_two_reporters_are_refused(makegood, home):
    other = samples.wallet(30).address
    ran = makegood("sla", "init", *PARTIES, "--reporter", other)
    assert ran.code == 3
    assert "cannot outvote each other" in ran.err
    assert list(home.iterdir()) == []


def test_unknown_names_are_refused_with_what_is_allowed(makegood, home):
    ran = makegood("sla", "init", "--template", "aws-ec2-regoin")
    assert ran.code == 3
    assert 'did you mean "aws-ec2-region"' in ran.err
    ran = makegood("sla", "init", "--template", "aws-ec2-region", "--set", "bucket=b")
    assert ran.code == 3
    assert "it has check" in ran.err
    assert list(home.iterdir()) == []


def test_every_wrong_option_is_told_before_anything_is_written(makegood, home):
    """Also while other fields are still missing, so that the document as a whole is not checked."""
    ran = makegood(
        "sla", "init", "--provider", "0x12", "--fee", "1.1234567", "--decimals", 6, "--name", "My SLA!",
        "--start", "yesterday", "--token", "0x00",
    )  # fmt: skip
    assert ran.code == 3
    lines = ran.err.splitlines()
    for option in ("--provider 0x12: ", "--name My SLA!: ", "--start yesterday", "--token 0x00: "):
        assert sum(option in line for line in lines) == 1, option
    assert "--fee 1.1234567: the token has 6 decimals" in ran.err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--start", "2027-01-01T00:00", "in UTC to the second"),
        ("--start", "2027-02-30", "no such time"),
        ("--fee", "abc", "an amount of the token"),
        ("--fee", "0", "costs something"),
        ("--reporter", "0x1", "write an address"),
        ("--oracle", "nobody", "write an address"),
    ],
)
def test_each_option_is_read_as_the_document_will_be(makegood, home, option, value, said):
    ran = makegood("sla", "init", option, value)
    assert ran.code == 3
    assert said in ran.err
    assert list(home.iterdir()) == []


def test_a_document_that_turns_out_wrong_as_a_whole_is_not_left_behind(makegood, home):
    ran = makegood(
        "sla", "init", "--template", "aws-ec2-region", "--provider", PROVIDER, "--consumer", PROVIDER,
        "--reporter", REPORTER, *SETTLEMENT, *REST,
    )  # fmt: skip
    assert ran.code == 3
    assert "spec.parties" in ran.err
    assert list(home.iterdir()) == []


def test_a_password_in_a_url_is_refused_and_never_repeated(makegood, home):
    for given in (
        "url=https://ops:hunter2@example.com/health",
        "https://ops:hunter2@example.com/",
        "https://ops:hunter2@example.com/?a=b",
        "nothing=https://hunter2@example.com/",
    ):
        ran = makegood("sla", "init", "--set", given)
        assert ran.code == 3
        assert "password in the URL" in ran.err
        assert "hunter2" not in ran.err + ran.out
    ran = makegood("sla", "init", "--start", "https://ops:hunter2@example.com/T")
    assert ran.code == 3
    assert "hunter2" not in ran.err
    assert list(home.iterdir()) == []


def test_a_parameter_is_given_once(makegood, home):
    ran = makegood("sla", "init", "--set", "url=https://a.example", "--set", "url=https://b.example")  # fmt: skip
    assert ran.code == 3
    assert "--set url was given twice" in ran.err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("width", [60, 80])
def test_on_a_narrow_terminal_no_name_of_the_list_is_broken(makegood, monkeypatch, width):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    ran = makegood("sla", "init", "--list")
    from relayer.templates import templates

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in ran.out.splitlines()]
    first = [line.split()[0] for line in lines if line.strip()]
    assert {template.name for template in templates()} <= set(first)
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.strip()]) == len(templates()) + 2, "a line for each"


def test_a_wrong_begin_is_told_as_it_was_written(makegood, home):
    ran = makegood("sla", "init", "--start", "tomorrow")
    assert ran.code == 3
    assert "--start tomorrow: write a time" in ran.err
    assert list(home.iterdir()) == []
