"""The commands around evidence at rest: a key, encrypting what is there, and what is never handed over."""

from __future__ import annotations

import json

from relayer.assembly import assemble
from relayer.config import load
from relayer.evidence.cipher import Cipher, name_of, read_key
from relayer.operations.alerts import Alerts
from relayer.store import Store, tables
from tests.relayer.evidence.kit import MINUTE, TWELVE, export, verify


def configured(folder, *keys, **more):
    """A configuration with keys in files, as an operator writes it."""
    for number, key in enumerate(keys):
        (folder / f"evidence{number}.key").write_text(f"{key}\n")
    references = [f"${{file:{folder}/evidence{number}.key}}" for number in range(len(keys))]
    file = folder / "makegood.yaml"
    file.write_text(json.dumps({"evidenceKey": references, **more} if keys else more))
    return file


def fresh(makegood):
    ran = makegood("evidence", "key")
    assert ran.code == 0
    return ran.out.strip()


def raw(store):
    with store.reading() as db:
        return b"".join(bytes(row.evidence) for row in db.execute(tables.readings.select()))


def test_a_fresh_key_is_a_key_and_another_one_every_time(makegood):
    one, other = fresh(makegood), fresh(makegood)
    assert one != other
    assert len(read_key(one)) == len(read_key(other)) == 32
    said = makegood("evidence", "key", "--json").json
    assert said["name"] == name_of(read_key(said["key"]))


def test_what_is_stored_is_encrypted_exported_and_verified_through_a_change_of_keys(
    opened, makegood
):
    agreement = opened()
    relayer = agreement.reporter()
    relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    relayer.works()
    assert b'"outcome"' in raw(relayer.store)
    plain = export(makegood, relayer, "--interval", "1")[0].read_bytes()
    one, other = fresh(makegood), fresh(makegood)
    for keys in ([one], [other, one], [other]):
        config = configured(agreement.folder, *keys, database=str(relayer.path))
        ran = makegood("evidence", "encrypt", "--config", config, "--json")
        assert ran.code == 0, ran.err
        assert ran.json["readings"]["unreadable"] == ran.json["samples"]["unreadable"] == 0
        assert ran.json["key"] == name_of(read_key(keys[0]))
        assert b'"outcome"' not in raw(relayer.store)
        assert not any(key in ran.out + ran.err for key in keys)
        file, ran = export(makegood, relayer, "--interval", "1", "--config", config)
        assert file.read_bytes() == plain
        assert verify(makegood, agreement, file, "--offline").code == 0

    # Without the key the file says what is missing, and why.
    file, ran = export(makegood, relayer, "--interval", "1")
    assert f"encrypted with key {name_of(read_key(other))}, which is not configured" in ran.err
    assert (ran.code, file.exists()) == (7, False)
    config = configured(agreement.folder, one, database=str(relayer.path))
    ran = makegood("evidence", "encrypt", "--config", config)
    assert "stay as they are" in ran.err


def test_a_file_that_is_there_is_not_overwritten_and_a_new_one_is_private(reported, makegood):
    file, ran = export(makegood, reported, "--interval", "1")
    assert ran.code == 0, ran.err
    assert file.stat().st_mode & 0o777 == 0o600
    words = ("evidence", "export", reported.agreement.document.path, "--level", "availability")
    words += ("--interval", "2", "--database", reported.path, "--output", file)
    before = file.read_bytes()
    ran = makegood(*words)
    assert ran.code == 3
    assert "is there already, and is not overwritten" in ran.err
    assert "another name" in ran.err
    assert file.read_bytes() == before
    # Nor is what a link points to: it may be anybody's.
    file.unlink()
    elsewhere = file.with_name("target.json")
    file.symlink_to(elsewhere)
    assert makegood(*words).code == 3
    assert not elsewhere.exists()


def test_nothing_to_show_makes_no_file(opened, makegood):
    relayer = opened().reporter()
    file, ran = export(makegood, relayer, "--interval", "1")
    assert ran.code == 7
    assert "nothing to export: interval 1: " in ran.err
    assert not file.exists()
    ran = makegood(
        *("evidence", "export", relayer.agreement.document.path, "--level", "availability"),
        *("--interval", "1", "--database", relayer.path),
    )
    assert (ran.code, ran.out) == (7, "")


def test_an_interval_outside_the_agreement_is_refused(opened, makegood):
    relayer = opened().reporter()
    _, ran = export(makegood, relayer, "--interval", "9999")
    assert ran.code == 3
    assert "interval 9999: the level has 120" in ran.err
    _, ran = export(makegood, relayer, "--interval", "120")
    assert ran.code == 3
    end = relayer.agreement.start + 120 * MINUTE
    _, ran = export(makegood, relayer, "--from", end, "--to", end + MINUTE)
    assert ran.code == 3
    assert "no interval lies between" in ran.err


def test_a_file_that_is_missing_or_no_json_is_a_wrong_file(opened, makegood):
    agreement = opened()
    file = agreement.folder / "evidence.json"
    ran = verify(makegood, agreement, file, "--offline")
    assert ran.code == 3
    assert "cannot read" in ran.error["message"]
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN"):
        file.write_bytes(content)
        ran = verify(makegood, agreement, file, "--offline")
        assert ran.code == 3
        assert "is no JSON" in ran.error["message"]


def test_without_a_key_nothing_can_be_encrypted(opened, makegood):
    relayer = opened().reporter()
    ran = makegood("evidence", "encrypt", "--database", relayer.path, "--json")
    assert ran.code == 3
    assert "makegood evidence key" in ran.error["hint"]


def test_a_secret_in_an_answer_is_not_handed_over(opened, makegood, monkeypatch):
    """The hash of evidence is signed, so that nothing in it can be blackened."""
    agreement = opened()
    relayer = agreement.reporter()
    relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    relayer.works()
    monkeypatch.setenv("SHOP_TOKEN", '"elapsed_us":1500')  # which the probe's evidence does hold
    sources = {
        "http_probe": {
            "headers": {"https://shop.example": {"Authorization": "Bearer ${SHOP_TOKEN}"}}
        }
    }
    config = configured(agreement.folder, sources=sources)
    file, ran = export(makegood, relayer, "--interval", "1", "--config", config)
    assert ran.code == 1
    assert not file.exists()
    assert "interval 1 has a secret of the configuration in it" in ran.err
    assert "elapsed_us" not in ran.err
    monkeypatch.setenv("SHOP_TOKEN", "something else")
    _, ran = export(makegood, relayer, "--interval", "1", "--config", config)
    assert ran.code == 0, ran.err


def test_a_relayer_encrypts_with_the_configured_key_and_says_if_an_old_one_is_missing(
    opened, makegood, caplog, capsys
):
    agreement = opened()
    relayer = agreement.reporter(cipher=Cipher([b"\1" * 32]))
    relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    relayer.works()
    key = fresh(makegood)
    loaded = load(file=configured(agreement.folder, key, database=str(relayer.path)), environ={})
    store = Store(relayer.path)
    try:
        assemble(
            chain=agreement.chain,
            store=store,
            account=relayer.account,
            documents=[agreement.document],
            config=loaded.configuration,
            alerts=Alerts(),
        )
        assert store.cipher.names == [name_of(read_key(key))]
    finally:
        store.close()
    said = capsys.readouterr()
    told = said.out + said.err + caplog.text
    assert f"encrypted with key {name_of(bytes([1]) * 32)}, which is not configured" in told
    assert key not in told


def test_the_key_stands_in_no_output(opened, makegood):
    agreement = opened()
    key = fresh(makegood)
    config = configured(agreement.folder, key)
    ran = makegood("config", "show", "--config", config)
    assert ran.code == 0
    assert key not in ran.out + ran.err
    assert "evidenceKey\t***" in ran.out
    config.write_text(f"evidenceKey: {key}\n")
    ran = makegood("config", "show", "--config", config)
    assert ran.code == 3
    assert "not in clear" in ran.err
    assert key not in ran.out + ran.err
