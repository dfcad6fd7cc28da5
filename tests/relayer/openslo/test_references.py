"""Objects in several files and documents: names, places in messages, and the form in which nothing is a name any more."""

import json
import random

import pytest

from relayer import yaml_lines
from relayer.document import load_document
from relayer.document.yaml_text import as_yaml
from relayer.openslo.catalogue import MAX_FILES
from relayer.yaml_lines import InvalidFile
from tests.relayer.openslo.conftest import BEYOND, CORPUS, LEVEL, SAMPLES

# Pinned: what is signed must not change with this program.
HASH = "0b9292bbfc530a377b5340cf6b5f9874bf84300b8de3160c375cd534478476e9"
PARTS = (CORPUS / "valid" / "parts.yaml").read_text()


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return path

    return write


@pytest.fixture
def document(sla, write):
    """Writes an SLA that names files."""

    def document(*openslo, **level):
        sla["spec"]["openslo"] = list(openslo)
        sla["spec"]["levels"] = [LEVEL | {"tiers": BEYOND} | level]
        return write("agreement.yaml", sla)

    return document


def objects():
    roots = yaml_lines.parse_all(PARTS, CORPUS)
    return [node.plain() for root in roots for node in root.items() or [root]]


def problems(path):
    with pytest.raises(InvalidFile) as caught:
        load_document(path)
    return caught.value.problems


def test_the_resolved_form_is_the_same_agreement(document, write):
    write("slos.yaml", PARTS)
    named = load_document(document("slos.yaml"))
    text = as_yaml(dict(named.content))
    assert "Ref: prom" not in text
    assert "indicatorRef" not in text
    assert "sloRef" not in text
    assert "openslo:" not in text
    alone = load_document(write("elsewhere/resolved.yaml", text))
    assert alone.hash == named.hash
    assert alone.agreement_id == named.agreement_id
    assert alone.content == named.content
    assert [level.feed for level in alone.levels] == [level.feed for level in named.levels]
    slo = alone.content["spec"]["levels"][0]["slo"]
    inline = slo["spec"]["indicator"]
    assert inline["metadata"] == {"name": "page-success"}
    assert inline["spec"]["ratioMetric"]["total"]["metricSource"] == {
        "type": "Prometheus",
        "spec": {"url": "https://prometheus.example.com", "query": "all"},
    }
    assert "PROM_KEY" not in text


@pytest.mark.parametrize("seed", range(6))
def test_where_objects_stand_changes_nothing(sla, write, tmp_path, seed):
    chance = random.Random(seed)
    places = ["beside", "a.yaml", "more/b.yml", "more/c.json", "d.json"]
    of = {place: [] for place in places}
    for one in chance.sample(objects(), k=len(objects())):
        of[chance.choice(places)].append(one)
    for name in places[1:]:
        write(name, of[name] if chance.random() < 0.5 or name.endswith("json") else "\n---\n".join(map(json.dumps, of[name])))  # fmt: skip
    sla["spec"]["openslo"] = ["a.yaml", "more/", "d.json"]
    sla["spec"]["levels"] = [LEVEL | {"tiers": BEYOND}]
    parts = [sla, *of["beside"]]
    chance.shuffle(parts)
    path = write("agreement.yaml", "---\n" + "\n---\n".join(json.dumps(part) for part in parts))
    found = load_document(path)
    assert found.hash.hex() == HASH
    assert set(found.files) >= {path, tmp_path / "more" / "b.yml"}


def test_an_slo_in_place_refers_to_others_too(document, write):
    kinds = {one["kind"]: one for one in objects()}
    write("rest.yaml", [kinds["SLI"], kinds["DataSource"]])
    write("slos.yaml", PARTS)
    named = load_document(document("slos.yaml"))
    level = {key: value for key, value in LEVEL.items() if key != "sloRef"}
    path = document("rest.yaml")
    content = json.loads(path.read_text())
    content["spec"]["levels"] = [level | {"tiers": BEYOND, "slo": kinds["SLO"]}]
    placed = load_document(write("placed.yaml", content))
    assert placed.hash == named.hash
    content["spec"]["levels"][0]["slo"]["spec"]["objectives"][0]["target"] = "1"
    [problem] = problems(write("placed.yaml", content))
    assert problem.path == "spec.levels[0].slo.spec.objectives[0].target"
    assert problem.file is None


def test_a_change_of_any_object_that_counts_is_another_agreement(document, write):
    write("slos.yaml", PARTS)
    known = load_document(document("slos.yaml"))
    for old, new, counts in (
        ("target: 0.99,", "target: 0.990,", True),
        ("query: all", "query: any", True),
        ("https://prometheus", "https://thanos", True),
        ("{name: page-success}", "{name: page-success, displayName: x}", True),
        ("${PROM_KEY}", "${OTHER_KEY}", False),
        ("metadata: {name: web}", "metadata: {name: other}", False),
        ("conditions: []", "conditions: [1]", False),
    ):
        assert old in PARTS
        write("slos.yaml", PARTS.replace(old, new, 1))
        assert (load_document(document("slos.yaml")).hash != known.hash) == counts, new


def test_a_document_without_openslo_keeps_its_hash():
    sample = load_document(SAMPLES / "three-reporters.yaml")
    assert sample.hash.hex() == "06d135c917b7bd26e49d79f31f97709aba4d8d02f584bf28682e45ee17bf33d8"


def test_problems_stand_in_the_order_of_files(document, write):
    write("b.yaml", PARTS.replace("target: 0.99", "target: 2").replace("name: web", "name: Web"))
    write("a.yaml", "apiVersion: openslo/v1\nkind: Sli\n")
    found = problems(document("b.yaml", "a.yaml", settleDelay="x"))
    assert [(p.file.name if p.file else None, p.line) for p in found] == [
        (None, 38),
        ("a.yaml", 2),
        ("b.yaml", 13),
        ("b.yaml", 34),
    ]


def test_a_name_stands_for_one_object_in_all_files(document, write):
    write("a.yaml", PARTS)
    write("b.yaml", "# so that lines differ\n" + PARTS)
    found = problems(document("a.yaml", "b.yaml"))
    assert len(found) == 5
    first = found[0]
    assert (first.file.name, first.line) == ("b.yaml", 4)
    assert first.message.endswith("a.yaml:1 already")  # fmt: skip


def test_objects_of_different_kinds_may_share_a_name(document, write):
    write("slos.yaml", PARTS.replace("page-success", "slo"))
    assert load_document(document("slos.yaml")).levels[0].name == "slo"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("slo.yaml", 'found "slo.yaml"; there is no such file or folder; allowed: agreement.yaml, away.yaml, slos.yaml; did you mean "slos.yaml"?'),
        ("/etc/hostname", "write a path below"),
        ("../other.yaml", "write a path below"),
        ("empty/", "the folder holds no .yaml, .yml, .json file"),
        (7, "write the name of a file or folder"),
        ("", "write the name of a file or folder"),
        ("away.yaml", "write a path below"),
    ],
)  # fmt: skip
def test_which_files_a_document_may_name(document, write, tmp_path, entry, message):
    write("slos.yaml", PARTS)
    (tmp_path / "empty").mkdir()
    (tmp_path.parent / "other.yaml").write_text(PARTS)
    (tmp_path / "away.yaml").symlink_to(tmp_path.parent / "other.yaml")
    found = problems(document("slos.yaml", entry))
    assert [problem.path for problem in found] == ["spec.openslo[1]"]
    assert message in found[0].message


@pytest.mark.parametrize("link", ["more/slos.yaml", "more"])
def test_a_link_in_a_folder_does_not_lead_out_of_it(document, write, tmp_path, link):
    """What is elsewhere is nobody's business: not even a message about it may repeat it."""
    secret = tmp_path.parent / "elsewhere" / "slos.yaml"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("password: hunter2\n")
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(secret if "/" in link else secret.parent)
    found = problems(document("more"))
    [refusal] = [problem.message for problem in found if problem.path == "spec.openslo[0]"]
    assert ("outside of" if "/" in link else "write a path below") in refusal
    assert not any("hunter2" in str(problem) or "password" in str(problem) for problem in found)


def test_a_link_within_the_folder_is_as_good_as_a_file(document, write, tmp_path):
    real = write("real/slos.yaml", PARTS)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "slos.yaml").symlink_to(real)
    assert load_document(document("more/")).hash.hex() == HASH


@pytest.mark.parametrize("entry", ["circle.yaml", "circle/", "a\0b.yaml"])
def test_a_path_that_leads_nowhere_is_a_problem(document, tmp_path, entry):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "circle.yaml").symlink_to(tmp_path / "circle.yaml")
    assert "spec.openslo[0]" in [problem.path for problem in problems(document(entry))]


def test_a_single_file_is_written_as_a_list(document, write, sla):
    sla["spec"]["openslo"] = "slos.yaml"
    [problem] = problems(write("agreement.yaml", sla))
    assert problem.path == "spec.openslo"
    assert problem.message == 'found "slos.yaml"; expected a list of files and folders'


def test_a_folder_holds_other_things_too(document, write, tmp_path):
    write("more/slos.yaml", PARTS)
    write("more/notes.txt", "not: [yaml")
    write("more/other.yaml", (SAMPLES / "agreement.yaml").read_text())
    write("more/agreement.signatures.json", "{}")
    path = document("more")
    assert [file.name for file in load_document(path).files] == ["agreement.yaml", "other.yaml", "slos.yaml"]  # fmt: skip
    moved = write("more/agreement.yaml", path.read_text().replace('"more"', '"."'))
    assert load_document(moved).hash == load_document(path).hash
    [problem] = problems(document("more", "more/other.yaml", "more/mine.yaml"))[:1]
    assert problem.path == "spec.openslo[2]"


def test_an_sla_is_no_openslo_file(document, write):
    write("slos.yaml", PARTS)
    write("other.yaml", (SAMPLES / "agreement.yaml").read_text())
    [problem] = problems(document("slos.yaml", "other.yaml"))
    assert (problem.file.name, problem.path) == ("other.yaml", "SLA shop-api-2027 apiVersion")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PARTS, "the file holds OpenSLO objects, but no SLA"),
        ("{sla}\n---\n{sla}", "a file holds one SLA document; there is one in line 1 already"),
        ("", "expected a mapping"),
        ("---\n---\n", "expected a mapping"),
        ("a: 1\n--- \n%YAML 1.1\n---\nb: 2\n", "a file holds one SLA document|directives|not YAML"),
    ],
)
def test_a_file_holds_one_sla(sla, write, text, message):
    path = write("agreement.yaml", text.replace("{sla}", json.dumps(sla)))
    with pytest.raises(InvalidFile, match=message):
        load_document(path)


def test_anchors_end_with_their_document(sla, write):
    beside = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: &x web}\nspec: {}\n"
    assert load_document(write("agreement.yaml", f"{json.dumps(sla)}\n---\n{beside}"))
    other = beside.replace("&x web", "*x")
    path = write("agreement.yaml", f"{json.dumps(sla)}\n---\n{beside}---\n{other}")
    with pytest.raises(InvalidFile, match="anchor &x"):
        load_document(path)


def test_files_are_bounded(document, write, tmp_path):
    for number in range(MAX_FILES + 5):
        write(f"many/{number}.yaml", "")
    with pytest.raises(InvalidFile, match=f"more than {MAX_FILES} files"):
        load_document(document("many"))


def test_what_cannot_be_read_is_a_problem_of_that_file(document, write, tmp_path):
    (tmp_path / "slos.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (tmp_path / "big.yaml").write_bytes(b"#" * (1 << 20) + b"##")
    found = problems(document("slos.yaml", "big.yaml"))
    said = {(p.file.name, p.line): p.message for p in found if p.file}
    assert said["slos.yaml", 2] == "this is not UTF-8 text"
    assert "larger than" in said["big.yaml", 1]
