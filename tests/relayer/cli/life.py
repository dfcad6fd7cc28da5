"""What the tests of the parties' commands share: documents that promise more, and refusals that send nothing."""

import json

from relayer.document import load_document
from relayer.document.quantities import show_time
from tests import samples
from tests.samples import wallet

MINUTE, DAY = 60, 86_400
WINDOW = 10 * MINUTE
PROVIDER, CONSUMER, STRANGER, ARBITER = wallet(1), wallet(2), wallet(5), wallet(7)
NO_DATA = 0xFFFFFFFF


def edit(path, **parts):
    """Sets fields of a document's spec; mappings are merged into those that are there."""
    content = json.loads(path.read_text())
    for name, value in parts.items():
        before = content["spec"].get(name)
        merged = before | value if isinstance(before, dict) and isinstance(value, dict) else value
        content["spec"][name] = merged
    path.write_text(json.dumps(content))


def edit_level(path, **fields):
    content = json.loads(path.read_text())
    content["spec"]["levels"][0] |= fields
    path.write_text(json.dumps(content))


def open_agreement(place):
    """Both have signed it, and the consumer has opened it."""
    return place.signed().paid()


def fund(place, windows):
    ran = place.run("sla", "fund", place.path, "--windows", windows, key=CONSUMER)
    assert ran.code == 0, ran.err


def settle(place, window):
    terms = load_document(place.path).terms
    place.chain.send(place.escrow.settle(terms, window), wallet(9))


def dollars(place, account):
    """What an account has, in whole dollars."""
    return place.token.balance(account.address) / samples.DOLLAR


def blocks(place):
    return place.chain.head().number


def done(place, *words, key):
    """A command that does something."""
    before = blocks(place)
    ran = place.run("sla", *words, "--json", key=key)
    assert ran.code == 0, ran.err
    assert blocks(place) - before == len(ran.json["transactions"]) > 0
    return ran


def idle(place, *words, key, says):
    """A command that finds its work done."""
    before = blocks(place)
    ran = place.run("sla", *words, "--json", key=key)
    assert (ran.code, ran.json["transactions"]) == (0, {}), ran.err
    assert f"nothing to do: {says}" in ran.err
    assert blocks(place) == before
    return ran


def refused(place, *words, key, code, says):
    """A command that says why it does nothing."""
    before = blocks(place)
    ran = place.run("sla", *words, key=key)
    assert (ran.code, says in ran.err) == (code, True), (ran.code, ran.err)
    assert "bug" not in ran.err
    assert ran.out == ""
    assert blocks(place) == before
    return ran


def rehearsed(place, *words):
    """A command without a key, which says what it would do."""
    before = blocks(place)
    ran = place.run("sla", *words, "--json")
    assert (ran.code, ran.json["dryRun"], ran.json["transactions"]) == (0, True, {}), ran.err
    assert "dry run" in ran.err
    assert blocks(place) == before
    return ran


def ask_first(place, monkeypatch, *words, key, says="nothing was sent"):
    """On a chain that is not local nothing happens without --yes, and nothing if the answer is no."""
    from relayer import keys
    from relayer.cli.output import Output

    before = blocks(place)
    with monkeypatch.context() as patched:
        patched.setattr(keys, "LOCAL_CHAINS", frozenset())
        patched.setattr(keys, "refuse_public_key", lambda *_: None)
        ran = place.run("sla", *words, key=key)
        assert (ran.code, "needs --yes" in ran.err) == (2, True), ran.err
        patched.setattr(Output, "interactive", True)
        patched.setattr(Output, "confirm", lambda *_: False)
        ran = place.run("sla", *words, key=key)
        assert (ran.code, f"not confirmed; {says}" in ran.err) == (1, True), ran.err
    assert blocks(place) == before


def later(place, seconds):
    """A time after the agreement's start, as documents have it."""
    return show_time(place.begin + seconds)


def narrow(place):
    """What status says beside the windows fits into 80 columns."""
    blocks = place.run("sla", "status", place.path).out.split("\n\n")[1:]
    beside = [block for block in blocks if not block.startswith("window\t")]
    assert beside
    for block in beside:
        pairs = [line.split("\t") for line in block.splitlines()]
        width = max(len(name) for name, _ in pairs)
        assert all(width + 2 + len(text) <= 80 for _, text in pairs), block
