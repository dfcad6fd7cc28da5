"""`makegood sla end`, on a real chain: by notice, for breaches, by both at once."""

import json

import pytest

from relayer.document import load_document
from tests.relayer.cli.life import (
    CONSUMER,
    DAY,
    MINUTE,
    PROVIDER,
    STRANGER,
    WINDOW,
    ask_first,
    dollars,
    done,
    edit,
    fund,
    idle,
    narrow,
    open_agreement,
    refused,
    rehearsed,
    settle,
)


@pytest.fixture
def running(place):
    """Four windows of 100, all paid for."""
    edit(place.path, termination={"breaches": 2, "notice": "15m"}, term={"prepaidWindows": 4})
    return open_agreement(place)


def states(place):
    shown = place.run("sla", "status", place.path, "--json", "--windows", "0..3").json
    return [window["status"] for window in shown["windows"]]


# By notice


@pytest.mark.parametrize("party", [PROVIDER, CONSUMER])
def test_either_party_ends_it_by_notice_and_later_windows_are_refunded(running, party, monkeypatch):
    running.warp(0)
    by_notice = ("end", running.path, "--by-notice")
    refused(running, *by_notice, key=STRANGER, code=4, says="only provider or consumer may")
    ask_first(running, monkeypatch, *by_notice, key=party)
    ran = rehearsed(running, *by_notice)
    assert "the agreement ends before window 2" in ran.err
    assert "200.00 tUSD, paid for windows 2..3, go back to the consumer" in ran.err
    assert dollars(running, CONSUMER) == 600
    ran = done(running, *by_notice, key=party)
    assert ran.json["endsBeforeWindow"] == 2
    assert dollars(running, CONSUMER) == 800
    assert states(running) == ["funded", "funded", "refunded", "refunded"]
    idle(running, *by_notice, key=party, says="the agreement was ended before window 2")


def test_too_late_for_notice(running):
    running.warp(2 * WINDOW + MINUTE)
    idle(
        running,
        "end",
        running.path,
        "--by-notice",
        key=PROVIDER,
        says="the agreement ends by itself",
    )


@pytest.mark.parametrize("how", ["--by-notice", "--for-breaches"])
def test_what_the_document_does_not_agree_on(place, how):
    refused(place, "end", place.path, how, key=CONSUMER, code=3, says="is not open")
    open_agreement(place)
    refused(place, "end", place.path, how, key=CONSUMER, code=3, says="agrees on no ending")


# For breaches


def test_the_consumer_leaves_after_enough_breaches_that_the_command_finds_itself(running):
    ends = ("end", running.path, "--for-breaches")
    running.warp(5 * MINUTE)
    running.report([0, 0, 0, 1_000_000])
    refused(running, *ends, key=PROVIDER, code=4, says="only the consumer may")
    refused(
        running,
        *ends,
        key=CONSUMER,
        code=3,
        says="2 breached windows are needed, 1 are known so far: 0",
    )
    settle(running, 0)
    running.warp(WINDOW + 5 * MINUTE)
    running.report([1_000_000] * 6 + [0, 0, 0], first=4)
    before = dollars(running, CONSUMER)
    ran = done(running, *ends, key=CONSUMER)
    # The second credit was due and not paid yet: only what was paid proves a breach.
    assert list(ran.json["transactions"]) == ["settle window 1", "endForBreaches"]
    assert (ran.json["breached"], ran.json["endsBeforeWindow"]) == ([0, 1], 2)
    assert dollars(running, CONSUMER) - before == 40 + 200
    assert states(running) == ["funded", "funded", "refunded", "refunded"]
    idle(running, *ends, key=CONSUMER, says="the agreement was ended before window 2")


# Together


def propose(place, *words, role="provider", key=PROVIDER):
    return place.run("sla", "end", place.path, "--sign", "--as", role, "--json", *words, key=key)


def ending_file(place):
    return place.folder / "agreement.ending.json"


def test_both_end_it_at_once_and_split_what_is_held(running, monkeypatch):
    running.warp(5 * MINUTE)
    running.report([0, 0, 0])
    settle(running, 0)
    assert dollars(running, CONSUMER) == 640
    sign, together = ("end", running.path, "--sign", "--as"), ("end", running.path, "--together")
    refused(running, *together, key=STRANGER, code=3, says="no ending is proposed")
    refused(running, *sign, "consumer", key=CONSUMER, code=3, says="no ending is proposed")
    more = ("--provider-gets", "360.01")
    refused(
        running, *sign, "provider", *more, key=PROVIDER, code=3, says="360.00 tUSD are still held"
    )
    half = ("--share", "50%")
    refused(running, *sign, "provider", *half, key=CONSUMER, code=4, says="only the provider may")
    words = (*sign, "provider", *half)
    ask_first(running, monkeypatch, *words, key=PROVIDER, says="nothing was signed")
    assert not ending_file(running).exists()

    ran = propose(running, *half)
    assert ran.code == 0, ran.err
    assert (ran.json["window"], ran.json["providerGets"]) == (0, "180.00")
    assert ran.json["missing"] == ["consumer"]
    assert "next: makegood sla end" in ran.err
    assert "ending\tproposed from window 0 on" in running.run("sla", "status", running.path).out
    narrow(running)
    refused(running, *together, key=STRANGER, code=3, says="the consumer has not signed")
    other = ("--provider-gets", "1.00")
    refused(
        running, *sign, "consumer", *other, key=CONSUMER, code=3, says="proposes another ending"
    )
    ran = running.run("sla", *sign, "provider", "--json", key=PROVIDER)
    assert "nothing to do: the provider has signed this already" in ran.err

    ran = propose(running, role="consumer", key=CONSUMER)
    assert (ran.code, ran.json["missing"]) == (0, []), ran.err
    ran = rehearsed(running, *together)
    assert (ran.json["toProvider"], ran.json["toConsumer"]) == ("180.00", "180.00")
    provider = dollars(running, PROVIDER)
    done(running, *together, key=STRANGER)
    assert dollars(running, PROVIDER) - provider == 180
    assert dollars(running, CONSUMER) == 640 + 180
    assert states(running) == ["terminated"] * 4
    idle(running, *together, key=STRANGER, says="the agreement has ended before window 0")
    ran = propose(running, role="consumer", key=CONSUMER)
    assert "nothing to do" in ran.err
    assert "ending\t" not in running.run("sla", "status", running.path).out


def test_windows_before_the_first_that_ends_go_on(running):
    running.warp(5 * MINUTE)
    words = ("--provider-gets", "40.00", "--from-window", "2", "--valid", "1h")
    assert propose(running, *words).code == 0
    assert propose(running, role="consumer", key=CONSUMER).code == 0
    done(running, "end", running.path, "--together", key=STRANGER)
    assert states(running) == ["funded", "funded", "terminated", "terminated"]
    assert (dollars(running, PROVIDER), dollars(running, CONSUMER)) == (40, 600 + 160)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("toProvider", "0.00", "the provider's signature is not under this"),
        ("window", 1, "the provider's signature is not under this"),
        ("validUntil", "2090-01-01T00:00:00Z", "the provider's signature is not under this"),
        ("toProvider", "1e3", "is not what was signed"),
        ("window", -1, "is not what was signed"),
        ("validUntil", "soon", "is not what was signed"),
        ("more", 1, "is not what was signed"),
    ],
)
def test_an_ending_that_was_changed_is_neither_signed_nor_sent(running, field, value, says):
    assert propose(running, "--share", "50%").code == 0
    assert propose(running, role="consumer", key=CONSUMER).code == 0
    file = ending_file(running)
    content = json.loads(file.read_text())
    content["ending"][field] = value
    file.write_text(json.dumps(content))
    refused(running, "end", running.path, "--together", key=STRANGER, code=3, says=says)
    sign = ("end", running.path, "--sign", "--as", "consumer")
    refused(running, *sign, key=CONSUMER, code=3, says=says)
    assert json.loads(file.read_text()) == content


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", "[" * 5_000, '{"signatures": 1}', " " * 70_000]
)
def test_a_file_that_is_no_ending(running, text):
    ending_file(running).write_text(text)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="is not what was signed")
    status = running.run("sla", "status", running.path)
    assert (status.code, "is not what was signed" in status.out) == (0, True)


def test_a_file_without_end_is_not_read(running):
    assert propose(running, "--share", "50%").code == 0
    with ending_file(running).open("a") as stream:
        stream.write(" " * 70_000)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="it is larger than 65536 bytes")


def test_an_ending_of_another_agreement(running):
    assert propose(running, "--share", "50%").code == 0
    edit(running.path, salt="0x" + "5b" * 32)
    refused(running, "end", running.path, "--together", key=STRANGER, code=3, says="is not open")
    open_agreement_again(running)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="belongs to another agreement")


def open_agreement_again(place):
    (place.folder / "agreement.signatures.json").unlink()
    open_agreement(place)


def test_an_ending_whose_time_is_over_can_be_replaced(running):
    assert propose(running, "--share", "50%", "--valid", "5m").code == 0
    assert propose(running, role="consumer", key=CONSUMER).code == 0
    running.warp(-30 * MINUTE)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="was valid until")
    sign = ("end", running.path, "--sign", "--as", "consumer")
    refused(running, *sign, key=CONSUMER, code=3, says="was valid until")
    assert propose(running, "--share", "25%").json["missing"] == ["consumer"]


def test_a_withdrawn_signature_is_found_before_anything_is_sent(running):
    from relayer.document import consents
    from relayer.protocol.typed_data import digest

    assert propose(running, "--share", "50%").code == 0
    assert propose(running, role="consumer", key=CONSUMER).code == 0
    document = load_document(running.path)
    message = consents.load_ending(document).message(document)
    running.chain.send(running.escrow.revoke(digest(message)), PROVIDER)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="the provider has withdrawn its signature")


def test_what_is_settled_in_the_meantime_is_noticed(running):
    running.warp(5 * MINUTE)
    assert propose(running, "--provider-gets", "400.00").code == 0
    assert propose(running, role="consumer", key=CONSUMER).code == 0
    running.report([0, 0, 0])
    settle(running, 0)
    words = ("end", running.path, "--together")
    refused(running, *words, key=STRANGER, code=3, says="360.00 tUSD are still held")


def test_the_last_windows_are_over(running):
    running.warp(DAY)
    sign = ("end", running.path, "--sign", "--as", "provider", "--share", "1%")
    refused(running, *sign, key=PROVIDER, code=3, says="nothing is left to end")
    assert propose(running, "--share", "100%", "--from-window", "3").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "choose one of"),
        (["--by-notice", "--together"], "choose one of"),
        (["--sign"], "--sign needs --as"),
        (["--by-notice", "--as", "consumer"], "go with --sign"),
        (["--together", "--share", "1%"], "go with --sign"),
        (["--sign", "--as", "consumer", "--share", "1%", "--provider-gets", "1"], "not both"),
        (["--sign", "--as", "consumer", "--from-window", "1"], "--provider-gets or --share, too"),
        (["--sign", "--as", "consumer", "--share", "101%"], "at most 100%"),
        (["--sign", "--as", "consumer", "--share", "most"], "write a percentage"),
        (["--sign", "--as", "consumer", "--provider-gets", "most"], "write an amount"),
        (
            ["--sign", "--as", "consumer", "--share", "1%", "--valid", "soon"],
            "write a whole number",
        ),
    ],
)
def test_usage(running, words, says):
    refused(running, "end", running.path, *words, key=CONSUMER, code=2, says=says)


def test_partial_payment_is_refunded_only_as_far_as_it_was_made(place):
    edit(place.path, termination={"notice": "1m"})
    open_agreement(place)
    fund(place, "2")
    place.warp(0)
    ran = done(place, "end", place.path, "--by-notice", key=CONSUMER)
    assert ran.json["endsBeforeWindow"] == 1
    assert dollars(place, CONSUMER) == 900
    assert states(place) == ["funded", "unfunded", "refunded", "unfunded"]
