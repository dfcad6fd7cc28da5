"""What is exported: what was asked for, and why something is missing."""

from __future__ import annotations

import json

from tests.relayer.evidence.kit import MINUTE, THREE_UP, TWELVE, export, verify

WORDS = [
    ((), 2, "say which intervals"),
    (("--interval", "1", "--window", "0"), 2, "say which intervals"),
    (("--from", "2027-01-01T00:00:00Z"), 2, "say which intervals"),
    (("--from", "now", "--to", "5"), 2, "is no time"),
    (("--from", "5", "--to", "4"), 3, "no interval lies between"),
    (("--window", "2"), 3, "has windows 0 to 1, not 2"),
]


def test_which_intervals_are_meant_has_to_be_said(reported, makegood):
    for words, code, said in WORDS:
        _, ran = export(makegood, reported, *words)
        assert ran.code == code
        assert said in ran.err


def test_which_level_is_meant_has_to_be_said_if_there_are_several(reported, makegood):
    path = reported.agreement.document.path
    ran = makegood("evidence", "export", path, "--interval", "1", "--database", reported.path)
    assert (ran.code, "availability, latency" in ran.err) == (2, True)
    _, ran = export(makegood, reported, "--interval", "1", level="speed")
    assert (ran.code, "has no service level 'speed'" in ran.err) == (3, True)


def test_without_a_database_nothing_is_made(reported, makegood):
    path = reported.agreement.document.path
    nowhere = reported.agreement.folder / "nowhere.sqlite"
    ran = makegood(
        *("evidence", "export", path, "--level", "latency", "--interval", "1"),
        *("--database", nowhere),
    )
    assert ran.code == 3
    assert not nowhere.exists()


def test_private_readings_are_handed_over_with_a_note(opened, makegood):
    agreement = opened(readings="private")
    relayer = agreement.reporter()
    relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    relayer.works()
    file, ran = export(makegood, relayer, "--interval", "1")
    assert "hand the file to parties and reporters only" in ran.err
    assert json.loads(file.read_text())["private"] is True
    assert verify(makegood, agreement, file, "--offline").code == 0


def test_why_something_is_missing_is_said(reported, makegood):
    """Not read yet, no longer stored, or stored but not signed."""
    relayer, agreement = reported, reported.agreement
    feed = agreement.level().feed.id
    relayer.measures(*TWELVE, THREE_UP)
    agreement.warp(13 * MINUTE + 31)
    relayer.works()  # interval 12 is read, and reported later
    relayer.store.readings.schedule([(feed, 13)])
    start = agreement.start
    file, ran = export(makegood, relayer, "--from", start + 660, "--to", start + 900)
    assert ran.code == 0
    content = json.loads(file.read_text())
    assert [kept["interval"] for kept in content["readings"]] == [11]
    assert [(gap["first"], gap["reason"].split(":")[0]) for gap in content["missing"]] == [
        (12, "no signature here commits to it"),
        (13, "the monitoring service has not answered yet"),
        (14, "nothing is stored"),
    ]
    assert verify(makegood, agreement, file, "--offline").code == 7
    # What was signed together is shown together: without its neighbours nothing leads to the signature.
    with relayer.store.writing() as db:
        db.exec_driver_sql("DELETE FROM readings WHERE interval = 2")
    file, ran = export(makegood, relayer, "--interval", "1")
    assert "signed with it are not stored any more" in ran.err
