from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.mark.parametrize("name", ["agreement.yaml", "three-reporters.yaml", "every-field.yaml"])
def test_an_explanation_fits_80_columns_and_is_plain_in_a_pipe(makegood, name):
    ran = makegood("sla", "explain", SAMPLES / name, "--currency", "USDC")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "\x1b" not in ran.out
    assert not any(line != line.rstrip() for line in ran.out.splitlines())
    titles = [line for line in ran.out.splitlines() if line and not line.startswith(" ")]
    assert titles == [
        "Who", "What is measured", "What is promised", "What a breach costs", "What happens when nobody knows",
        "When money moves", "How it ends", "What it does not cover",
    ]  # fmt: skip


def test_as_json_there_are_the_words_and_the_numbers(makegood):
    found = makegood("sla", "explain", SAMPLES / "agreement.yaml", "--json").json
    assert found["sections"][0]["title"] == "Who"
    [level] = found["figures"]
    first = level["tiers"][0]
    # 99.95 % of 43,200 minutes allow 21.6.
    assert (first["begins"][0]["bad"], first["begins"][0]["badSeconds"]) == (22, 1_320)
    assert level["examples"][1]["toConsumer"] == "10.00"


def test_an_invalid_document_is_not_explained(makegood, home):
    (home / "a.yaml").write_text("kind: SLA\n")
    assert makegood("sla", "explain", "a.yaml").code == 3
