"""`makegood sla exclude`, on a real chain."""

import json

import pytest

from relayer.document import consents, load_document
from relayer.protocol.typed_data import digest
from tests.relayer.cli.life import (
    CONSUMER,
    MINUTE,
    PROVIDER,
    STRANGER,
    WINDOW,
    ask_first,
    done,
    edit_level,
    fund,
    idle,
    later,
    narrow,
    open_agreement,
    refused,
    rehearsed,
)


@pytest.fixture
def running(place):
    """Of each window five minutes may be excluded, a quarter of an hour before they begin."""
    edit_level(place.path, exclusions={"allowance": "5m", "notice": "15m"})
    open_agreement(place)
    fund(place, "1..3")
    place.warp(0)
    return place


def span(place, begin, end):
    """`--from` and `--to`, in minutes of the agreement."""
    return ("--from", later(place, begin * MINUTE), "--to", later(place, end * MINUTE))


def sign(place, begin, end, role, key):
    words = ("exclude", place.path, "--level", "availability", *span(place, begin, end))
    return place.run("sla", *words, "--as", role, "--json", key=key)


def both_sign(place, begin, end):
    assert sign(place, begin, end, "provider", PROVIDER).code == 0
    ran = sign(place, begin, end, "consumer", CONSUMER)
    assert (ran.code, ran.json["missing"]) == (0, []), ran.err


def excluded(place, window):
    feed = load_document(place.path).levels[0].feed
    return [(one.first, one.end) for one in place.oracle.exclusions(feed.id, window)]


def exclusions_file(place):
    return place.folder / "agreement.exclusions.json"


def test_a_span_that_both_signed_is_not_judged(running, monkeypatch):
    send = ("exclude", running.path, "--send")
    refused(running, *send, key=STRANGER, code=3, says="has no future span that both have signed")
    one = ("exclude", running.path, "--level", "availability", *span(running, 22, 25))
    refused(running, *one, "--as", "provider", key=CONSUMER, code=4, says="only the provider may")
    words = (*one, "--as", "provider")
    ask_first(running, monkeypatch, *words, key=PROVIDER, says="nothing was signed")
    assert not exclusions_file(running).exists()
    ran = sign(running, 22, 25, "provider", PROVIDER)
    assert ran.json["missing"] == ["consumer"], ran.err
    assert "(3m) is not judged; it leaves the denominator" in ran.err
    assert "nothing to do" in sign(running, 22, 25, "provider", PROVIDER).err
    refused(running, *one, "--send", key=STRANGER, code=3, says="the consumer has not signed")
    refused(running, *send, key=STRANGER, code=3, says="has no future span that both have signed")
    status = running.run("sla", "status", running.path)
    assert f"proposed\t{later(running, 22 * MINUTE)} to" in status.out

    assert sign(running, 22, 25, "consumer", CONSUMER).json["missing"] == []
    ran = rehearsed(running, *send)
    assert ran.json["exclusions"] == [
        {
            "level": "availability",
            "from": later(running, 22 * MINUTE),
            "to": later(running, 25 * MINUTE),
        }
    ]
    done(running, *send, key=STRANGER)
    assert excluded(running, 2) == [(22, 25)]
    idle(running, *send, key=STRANGER, says="what is signed is excluded already")
    idle(running, *one, "--send", key=STRANGER, says="what is signed is excluded already")
    assert "excluded already" in sign(running, 22, 25, "consumer", CONSUMER).err
    (shown,) = running.run("sla", "status", running.path, "--json").json["exclusions"]
    assert (shown["excluded"], shown["signedBy"]) == (True, ["provider", "consumer"])
    narrow(running)

    # Down while it was excluded: no credit.
    running.warp(32 * MINUTE)
    running.report([1_000_000] * 22 + [0] * 3 + [1_000_000] * 5)
    window = running.run("sla", "status", running.path, "--json", "--windows", "2").json["windows"][
        0
    ]
    assert (window["creditBps"], window["levels"][0]["planned"]) == (0, 7)


def test_several_spans_are_brought_at_once(running):
    both_sign(running, 20, 22)
    both_sign(running, 30, 35)
    both_sign(running, 23, 24)
    ran = done(running, "exclude", running.path, "--send", key=STRANGER)
    assert len(ran.json["transactions"]) == 3
    assert (excluded(running, 2), excluded(running, 3)) == ([(20, 22), (23, 24)], [(30, 35)])


def test_spans_that_are_too_much_together_are_found_before_the_first_is_sent(running):
    both_sign(running, 20, 23)
    both_sign(running, 24, 27)
    send = ("exclude", running.path, "--send")
    refused(running, *send, key=STRANGER, code=3, says="2m of 5m may still be excluded")
    one = ("exclude", running.path, *span(running, 24, 27), "--send")
    done(running, *one, key=STRANGER)
    assert excluded(running, 2) == [(24, 27)]


@pytest.mark.parametrize(
    ("begin", "end", "code", "says"),
    [
        (14, 15, 3, "it begins in 14m, and 15m of notice were agreed"),
        (20, 26, 3, "it lasts 6m; of the window 5m of 5m may still be excluded"),
        (29, 31, 3, "a span lies in one window; split it at"),
        (22.5, 24, 2, "whole intervals of 1m"),
        (24, 22, 2, "a span ends after it begins"),
        (-3, -2, 2, "a span ends after it begins"),
    ],
)
def test_spans_that_the_oracle_would_refuse_are_not_even_signed(running, begin, end, code, says):
    words = ("exclude", running.path, *span(running, begin, end), "--as", "provider")
    refused(running, *words, key=PROVIDER, code=code, says=says)
    assert not exclusions_file(running).exists()


def test_a_span_that_has_begun(running):
    running.warp(2 * WINDOW)
    words = ("exclude", running.path, *span(running, 19, 20), "--as", "provider")
    refused(running, *words, key=PROVIDER, code=3, says="only future spans can be excluded")


def test_notice_is_looked_at_again_when_it_is_sent(running):
    both_sign(running, 16, 17)
    running.warp(2 * MINUTE)
    words = ("exclude", running.path, *span(running, 16, 17), "--send")
    refused(running, *words, key=STRANGER, code=3, says="15m of notice were agreed")


def test_overlapping_spans(running):
    both_sign(running, 20, 22)
    done(running, "exclude", running.path, "--send", key=STRANGER)
    words = ("exclude", running.path, *span(running, 21, 23), "--as", "consumer")
    refused(running, *words, key=CONSUMER, code=3, says="it overlaps what is excluded already")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("to", 24, "the provider's signature is not under this"),
        ("from", 21, "the provider's signature is not under this"),
        ("level", "latency", "is not what was signed"),
        ("from", "soon", "is not what was signed"),
        ("signatures", {"provider": "0x12"}, "what stands for the provider is no signature"),
        ("signatures", {"arbiter": "0x12"}, "is not what was signed"),
        ("signatures", {"provider": "yes"}, "is not what was signed"),
    ],
)
def test_a_span_that_was_changed_is_neither_signed_nor_sent(running, field, value, says):
    both_sign(running, 22, 23)
    file = exclusions_file(running)
    content = json.loads(file.read_text())
    changed = content["exclusions"][0]
    changed[field] = later(running, value * MINUTE) if isinstance(value, int) else value
    file.write_text(json.dumps(content))
    words = ("exclude", running.path, "--from", changed["from"], "--to", changed["to"])
    if value == "soon":
        words = ("exclude", running.path, *span(running, 22, 23))
    refused(running, *words, "--send", key=STRANGER, code=3, says=says)
    if field != "signatures":
        refused(running, *words, "--as", "consumer", key=CONSUMER, code=3, says=says)
    assert running.run("sla", "status", running.path).code == 0


def test_a_signature_can_be_withdrawn(running):
    both_sign(running, 22, 23)
    document = load_document(running.path)
    (signed,) = consents.load_exclusions(document)
    revoke = running.oracle.contract.functions.revoke(digest(signed.message(document)))
    running.chain.send(revoke, CONSUMER)
    send = ("exclude", running.path, "--send")
    refused(running, *send, key=STRANGER, code=3, says="the consumer has withdrawn its signature")


def test_a_level_without_exclusions(place):
    open_agreement(place)
    words = ("exclude", place.path, *span(place, 22, 23), "--as", "provider")
    refused(place, *words, key=PROVIDER, code=3, says="the level allows no exclusions")


def test_what_is_excluded_of_a_running_window_stays_in_the_denominator(place):
    edit_level(place.path, exclusions={"allowance": "5m", "notice": "1m"})
    open_agreement(place)
    place.warp(MINUTE)
    both_sign(place, 5, 7)
    ran = done(place, "exclude", place.path, "--send", key=STRANGER)
    assert "stays in the denominator, as good" in ran.err
    window = place.run("sla", "status", place.path, "--json").json["windows"][0]
    assert window["levels"][0]["planned"] == 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "choose --as provider, --as consumer, or --send"),
        (["--send", "--as", "provider"], "choose --as provider, --as consumer, or --send"),
        (["--as", "provider"], "a span has --from and --to"),
        (["--send", "--level", "availability"], "a span has --from and --to"),
        (["--send", "--from", "2027-01-01T00:00:00Z"], "a span has --from and --to"),
        (["--send", "--from", "2027", "--to", "2028"], "write a time in UTC"),
    ],
)
def test_usage(running, words, says):
    refused(running, "exclude", running.path, *words, key=CONSUMER, code=2, says=says)


def test_no_such_level(running):
    words = ("exclude", running.path, "--level", "speed", *span(running, 22, 23), "--send")
    refused(running, *words, key=CONSUMER, code=2, says='has no level "speed"')
