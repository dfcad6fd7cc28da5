"""What the other party wrote is shown on a terminal, and does nothing to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from relayer.cli.output import Output
from relayer.cli.printable import printable
from relayer.errors import MakegoodError

ROOT = Path(__file__).parents[3]
HOSTILE = "\x1b]0;pwn\x07\x1b[2J\x1b[32mall holds\x9b1m\r\u202egpj\u2066\u200bx\x7f\x00"
SHOWN = "\\u001b]0;pwn\\u0007\\u001b[2J\\u001b[32mall holds\\u009b1m\\r\\u202egpj\\u2066\\u200bx\\u007f\\u0000"
ON_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
EXPECT = f'{{type: http_probe, spec: {{url: "https://shop.example/", samples: 5, timeout: 2, expect_body: {json.dumps(HOSTILE)}}}}}'


def on_terminal(*words):
    """What a terminal is sent."""
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ran = subprocess.run(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, *words],
        check=False,
        cwd=ROOT,
        env={**env, "TERM": "xterm", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    return ran.stdout.decode()


@pytest.fixture
def document(home):
    path = home / "hostile.yaml"
    text = (ROOT / "samples" / "agreement.yaml").read_text()
    start = text.index("dataSource:")
    end = text.index("\n        metric:", start)
    path.write_text(f"{text[:start]}dataSource: {EXPECT}{text[end:]}")
    return path


def test_what_is_not_printable_is_escaped_and_everything_else_stays():
    assert printable(HOSTILE) == SHOWN
    usual = "Größe\t25 °C 東京\n10\u00a0€ ■ ▁▂ … 😀"
    assert printable(usual) == usual
    assert printable("\u2028\ufeff\U000e0041") == "\\u2028\\ufeff\\udb40\\udc41"


def test_json_stays_the_same_value(capsys):
    Output().data({"said": HOSTILE})
    out = capsys.readouterr().out
    assert json.loads(out) == {"said": HOSTILE}
    assert out.rstrip("\n").isprintable()


def test_every_way_to_say_something_escapes(capsys, monkeypatch):
    output = Output()
    output.line(HOSTILE)
    output.fields([("name", HOSTILE)])
    output.table(["column"], [[HOSTILE]])
    output.note(HOSTILE)
    output.error(MakegoodError(HOSTILE, hint=HOSTILE), 1)
    with output.working(HOSTILE):
        pass
    asked = []
    monkeypatch.setattr(
        "click.termui.visible_prompt_func", lambda text="": asked.append(text) or "n"
    )
    output.confirm(HOSTILE)
    said = capsys.readouterr()
    text = "".join([said.out, said.err, *asked])
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert text.count("u202egpj") == 8


def test_a_terminal_gets_no_sequence_of_the_data_and_keeps_its_own_styles():
    script = f"""
from relayer.cli.output import Output
from relayer.errors import MakegoodError
said = {HOSTILE!r}
output = Output()
output.table([":x: column"], [[said]])
output.error(MakegoodError(said), 1)
with output.working(said):
    pass
"""
    seen = on_terminal("-c", script)
    assert "\x1b[1m" in seen  # the head of the table
    assert "\x1b[31m\x1b[1merror:\x1b[0m \\u001b]0;pwn" in seen
    assert seen.count("\\u202egpj\\u2066") >= 3
    assert ":x: column" in seen
    for bad in ("\x1b]0", "\x1b[2J", "\x1b[32mall", "\x9b", "\u202e", "\u2066", "\x07", "\x7f"):
        assert bad not in seen


def test_an_explanation_shows_what_a_document_says_and_is_drawn_as_ever(document):
    seen = on_terminal("-m", "relayer.cli", "sla", "explain", str(document))
    assert "\x1b[1;36mWho\x1b[0m" in seen
    assert "\\u001b]0;pwn\\u0007" in " ".join(seen.split())
    for bad in ("\x1b]0", "\x1b[2J", "\x1b[32mall", "\x9b", "\u202e", "\x07"):
        assert bad not in seen


TABLE = """
from relayer.cli.output import Output
Output().table(["id", "when", "note", "n"], [["0x" + "ab" * 32, "2026-11-22T07:00:00Z", "some words that fold", 1], ["b", "c", "-", 2]])
"""


@pytest.mark.parametrize(("width", "in_blocks"), [(80, True), (140, False)])
def test_a_table_that_would_break_words_becomes_blocks(width, in_blocks):
    ran = subprocess.run(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, "-c", TABLE],
        check=True,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(width)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    lines = ran.stdout.decode().split("\r\n")
    assert (f"id    0x{'ab' * 32}" in lines) is in_blocks
    assert ("when  c" in lines) is in_blocks
    assert not any(line.startswith("note  -") for line in lines)
    assert any("0x" + "ab" * 32 in line for line in lines), "an id stays in one piece"
