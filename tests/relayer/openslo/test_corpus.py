"""Small OpenSLO files. What is said about an invalid one stands, exactly, at its end; the rules are those of the Go SDK."""

import json
import random
from contextlib import suppress

import pytest

from relayer.document import load_document
from relayer.yaml_lines import InvalidFile
from tests.relayer.openslo.conftest import BELOW, BEYOND, CORPUS, SAMPLES


def files(folder):
    found = sorted((CORPUS / folder).glob("*.yaml"))
    return [pytest.param(file, id=file.stem) for file in found]


def expected(text):
    return [line.removeprefix("# ") for line in text.split("# Expected:\n")[1].splitlines()]


def said(error, folder):
    lines = [f"{p.file or error.file}:{p.line}:{p.column}: {p}" for p in error.problems]
    return [line.replace(f"{folder}/", "") for line in lines]


def tiers_for(text):
    return BEYOND if "RatioTimeslices" in text else BELOW


@pytest.mark.parametrize("file", files("valid"))
def test_what_is_valid_makes_a_level(file, with_slo):
    text = file.read_text()
    document = load_document(with_slo(text, tiers_for(text)))
    assert [level.name for level in document.levels] == ["slo"]
    assert document.terms.problem() is None


@pytest.mark.parametrize("file", files("invalid"))
def test_what_breaks_a_rule_is_told_with_its_line(file, sla, tmp_path):
    # Nothing refers to it: it is wrong in itself.
    text = file.read_text()
    (tmp_path / "slos.yaml").write_text(text)
    sla["spec"]["openslo"] = ["slos.yaml"]
    (tmp_path / "agreement.yaml").write_text(json.dumps(sla, indent=1))
    with pytest.raises(InvalidFile) as caught:
        load_document(tmp_path / "agreement.yaml")
    assert said(caught.value, tmp_path) == expected(text)


@pytest.mark.parametrize("file", files("refused"))
def test_what_the_contracts_cannot_judge_is_refused_with_its_line(file, with_slo, tmp_path):
    # Valid, but for references; what is wrong shows when a level is made of it.
    text = file.read_text()
    with pytest.raises(InvalidFile) as caught:
        load_document(with_slo(text, tiers_for(text)))
    assert said(caught.value, tmp_path) == expected(text)


def test_no_message_repeats_a_secret():
    for file in (CORPUS / "invalid").glob("secret-*.yaml"):
        assert not [
            line for line in expected(file.read_text()) if "abc123" in line or "word@" in line
        ]


def test_no_sentence_names_an_implementation():
    for folder in ("invalid", "refused"):
        for file in (CORPUS / folder).glob("*.yaml"):
            for line in expected(file.read_text()):
                assert not any(word in line for word in ("pydantic", "Value error", "NoneType")), (
                    line
                )


@pytest.mark.parametrize("seed", range(4))
def test_no_mistake_is_a_crash(tmp_path, seed):
    # Lines removed, doubled, shifted and spoilt: the document is valid or its problems are named.
    chance = random.Random(seed)
    text = (SAMPLES / "openslo.yaml").read_text()
    original = [line for line in text.splitlines() if not line.strip().startswith("#")]
    spoilers = (
        "null", "true", "[]", "{}", "''", "-1", "1e400", "*alone", "&x", "|", "%", "~", "---", "- ", "é", "9" * 300,
        "slo: {}", "slo: 3", "sloRef: [x]", "openslo: {a: 1}", "indicatorRef: {}", "metricSourceRef: []", "spec: 1",
        "kind: SLI", "1M", "0.0000001", "levels: 1", "timeWindow: [{}]", "objectives: [1]", "1e99", "isRolling: true",
    )  # fmt: skip
    path = tmp_path / "agreement.yaml"
    for _ in range(60):
        lines = list(original)
        for _ in range(chance.randint(1, 3)):
            number = chance.randrange(len(lines))
            line = lines[number]
            indent = line[: len(line) - len(line.lstrip())]
            lines[number] = chance.choice(
                [
                    "",
                    f"{line.split(':')[0]}: {chance.choice(spoilers)}",
                    f"{line}\n{chance.choice(original)}",
                    f"{indent}{chance.choice(spoilers)}",
                    f"{line}\n{indent}{chance.choice(spoilers)}",
                    " " * chance.randint(1, 3) + line,
                ]
            )
        path.write_text("\n".join(lines))
        with suppress(InvalidFile):
            load_document(path)
