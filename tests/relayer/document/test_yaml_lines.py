from pathlib import Path

import pytest

from relayer.errors import ConfigurationError
from relayer.yaml_lines import MAX_BYTES, InvalidFile, load, parse

HERE = Path("x.yaml")


def plain(text):
    return parse(text, HERE).plain()


def refused(text):
    with pytest.raises(InvalidFile) as caught:
        parse(text, HERE)
    [problem] = caught.value.problems
    return problem


def test_words_are_those_of_yaml_1_2_and_everything_else_is_text():
    read = plain(
        "a: yes\nb: off\nc: 12:30:00\nd: 2027-01-01T00:00:00Z\ne: 0x1F\nf: 0o17\ng: 007\nh: 1.50\ni: 1e3\nj: .inf\n"
        "k: true\nl: ~\nm: 12\nn: -3\no: '12'\np: y\nq: 1_000\nr: null\n"
    )
    assert read == {
        "a": "yes", "b": "off", "c": "12:30:00", "d": "2027-01-01T00:00:00Z", "e": "0x1F", "f": "0o17",
        "g": "007", "h": "1.50", "i": "1e3", "j": ".inf", "k": True, "l": None, "m": 12, "n": -3, "o": "12",
        "p": "y", "q": "1_000", "r": None,
    }  # fmt: skip


def test_a_key_stands_once():
    problem = refused("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")
    assert (problem.line, problem.column, problem.path) == (5, 3, "b.c")
    assert "line 3 already" in problem.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object:os.system x", "tags"),
        ("a: !!str 5", "tags"),
        ("%YAML 1.1\n---\na: 1\n", "directives"),
        ("a: 1\n---\nb: 2\n", "one document"),
        ("a: *nowhere", "not YAML|anchor"),
        ("a: [1, 2", "not YAML"),
        ("a: b: c", "not YAML"),
        ("? [1]\n: 2\n", "key"),
        ("a: 9007199254740992", "write it as text"),
        ("a: -99999999999999999999999", "write it as text"),
        ("a: \x07", "not allowed in YAML"),
        ("[" * 50 + "]" * 50, "nested deeper"),
        ("a: &a [*a]", "anchor"),
        ('a: "\\ud800"', "half a character"),
        ('"\\ud83d\\ude00": 1', "half a character"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(InvalidFile, match=message):
        parse(text, HERE)


def test_aliases_are_bounded():
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{here}: &{here} [{', '.join([f'*{there}'] * 10)}]\n"
        for there, here in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "20000 values" in refused(laughs).message
    assert plain("a: &x {k: 1}\nb: *x\n") == {"a": {"k": 1}, "b": {"k": 1}}


def test_text_that_aliases_repeat_is_bounded():
    long = f"a: &a '{'x' * 400_000}'\n"
    problem = refused(f"{long}b: [{', '.join(['*a'] * 19_000)}]\n")
    assert problem.message == "the file has more than 4 MiB of text, what aliases repeat included"
    # Ten times 400,000 bytes are less than 4 MiB; the eleventh time is the tenth alias.
    assert (problem.line, problem.column, problem.path) == (2, 5 + 9 * 4, "b[9]")
    assert len(plain(f"{long}b: [{', '.join(['*a'] * 9)}]\n")["b"]) == 9


@pytest.mark.parametrize(
    "anchored", ["{? KEY : 1}", "[KEY]", "[[KEY, 1], x]", "{k: {? KEY : [1]}}", '"KEY"']
)
def test_text_counts_wherever_it_stands(anchored):
    long = "é" * 150_000  # two bytes each
    text = (
        f"a: &a {anchored.replace('KEY', long)}\nb: &b [{', '.join(['*a'] * 5)}]\nc: [*b, *b, *b]\n"
    )
    assert "4 MiB of text" in refused(text).message


def test_merge_keys_mean_nothing():
    assert plain("a: &x {k: 1}\nb: {<<: *x}\n")["b"] == {"<<": {"k": 1}}


def test_files(tmp_path):
    file = tmp_path / "x.yaml"
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path)
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InvalidFile, match=r"x\.yaml:2:1: this is not UTF-8"):
        load(file)
    file.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than"):
        load(file)
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert load(file).plain() == {"a": 1}
