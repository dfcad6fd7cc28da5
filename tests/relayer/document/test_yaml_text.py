from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.document.yaml_text import as_yaml
from relayer.yaml_lines import MAX_INTEGER, load_all, parse, parse_all

HERE = Path("x.yaml")
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
SCALARS = st.booleans() | st.none() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


@settings(max_examples=400)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_is_read_back(content):
    assert parse(as_yaml(content), HERE).plain() == content


@pytest.mark.parametrize(
    "text",
    ["", "yes", "Null", "12", "0.5", "99%", "a: b", "- x", "# x", "2027-01-01 00:00:00", "x #y", "*a", "&a", "!t", "é",
     "\u2028", "\x85", "\U0001f600", "line\nline\n", "tab\t", " x", "x ", "'", '"', "\\", "\x7f", "~", "|", "a,b"],
)  # fmt: skip
def test_texts_that_yaml_reads_as_something_else(text):
    content = {"k": text, "l": [text, [text], {"m": text}], "e": [], "f": {}}
    assert parse(as_yaml(content), HERE).plain() == content


def test_people_can_read_it():
    content = {"spec": {"levels": [{"name": "api", "tiers": [{"credit": "10%"}]}], "windows": 3}}
    assert as_yaml(content) == (
        'spec:\n  levels:\n  - name: api\n    tiers:\n    - credit: "10%"\n  windows: 3\n'
    )  # fmt: skip


def test_several_documents(tmp_path):
    roots = parse_all("a: 1\n---\n# nothing\n---\nb: [2]\n...\n---\nc: 3\n", HERE)
    assert [root.plain() for root in roots] == [{"a": 1}, {"b": [2]}, {"c": 3}]
    assert [root.line for root in roots] == [1, 5, 8]
    assert parse_all("", HERE) == []
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n---\r\nb: 2\r\n")
    assert [root.plain() for root in load_all(file)] == [{"a": 1}, {"b": 2}]
