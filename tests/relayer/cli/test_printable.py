"""What the other party wrote is shown on a terminal, and does nothing to it."""

import json
import os
import re
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


def on_terminal(*words, columns=200):
    """What a terminal is sent."""
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ran = subprocess.run(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, *words],
        check=False,
        cwd=ROOT,
        env={**env, "TERM": "xterm", "COLUMNS": str(columns)},
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


def drawn(table, width):
    """The lines of a table on a terminal, without styles."""
    said = on_terminal("-c", f"from relayer.cli.output import Output\nOutput().table({table})", columns=width)  # fmt: skip
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", said).split("\r\n")]


TEXT = "words that fold where a line ends, for they have to"


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_no_word_of_a_table_is_broken_while_all_fit(width):
    names = ["gcp_monitoring", "azure_monitor"]
    lines = drawn(f'["service", "kind", "text", "more"], [[n, "k", "{TEXT}", "{TEXT}"] for n in {names}]', width)  # fmt: skip
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines if line.startswith(("gcp", "azure"))] == names
    assert {word for line in lines for word in line.split()} >= set(TEXT.split())


def test_only_the_longest_word_of_a_narrow_table_is_broken():
    lines = drawn(f'["name", "value"], [["operations.runwayWarningDays", "{"x" * 60}"]]', 60)
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("operations.runwayWarningDays   xxx") for line in lines)
    assert sum(line.count("x") for line in lines) == 60


def test_signs_that_take_two_places_have_them():
    lines = drawn('["name", "value"], [["東京リージョン 稼働率", "1"]]', 60)
    assert lines[2] == "東京リージョン 稼働率   1"


def test_a_table_stands_flush_with_the_lines_around_it():
    lines = drawn('["name", "value"], [["one", "1"]]', 60)
    assert lines[0] == "name   value"
    assert lines[2:] == ["one    1", ""]


def test_a_mark_stands_beside_what_it_is_about_where_a_table_becomes_blocks():
    lines = drawn(f'["", "check", "found", "next"], [["✗", "key", "{"x" * 40}", ""], ["-", "b", "c", "d"]]', 40)  # fmt: skip
    assert lines == ["check  ✗ key", f"found  {'x' * 40}", "", "check  - b", "found  c", "next   d", ""]  # fmt: skip
