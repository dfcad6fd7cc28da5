from __future__ import annotations

import json
import sys
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

import oracles
from oracles import (
    METRICS,
    NO_DATA,
    NOT_APPLICABLE,
    BadRequest,
    GarbageAnswer,
    Interval,
    MissingExtra,
    MonitoringError,
    Reading,
    Unavailable,
    UnknownService,
    Value,
    canonical,
    encode,
    load,
    registry,
)
from oracles.base import Spec
from oracles.errors import AccessRefused, Throttled
from oracles.series import SeriesSpec, conclude_series
from oracles.testing import MemorySampleStore, ScriptedService
from oracles.units import LARGEST_CODE, UNITS, from_double
from tests.oracles.contract import Bench, Clock, Contract

INTERVAL = Interval(600, 660)
ROOT = Path(__file__).parents[2]


class Script(ScriptedService):
    script = {  # noqa: RUF012
        "up": lambda _: 999_000,
        "down": lambda _: 0,
        "stopped": lambda _: NOT_APPLICABLE,
        "absurd": lambda _: 1_000_001,
        "failing": lambda _: Unavailable("the script says so"),
    }


class Points(ScriptedService):
    """Answers with whatever points it is given."""

    name = "points"
    Spec = SeriesSpec

    @classmethod
    def conclude(cls, query, interval, raw):
        conclude_series(query, interval, raw)
        return NO_DATA


class TestScripted(Contract):
    @pytest.fixture
    def bench(self):
        clock = Clock(10_000)

        def query(line):
            return Script.query({"line": line}, "availability", first=0, length=60)

        return Bench(
            make=lambda: Script(clock=clock),
            clock=clock,
            interval=INTERVAL,
            value=query("up"),
            value_amount=Fraction(999_000),
            other=query("down"),
            other_amount=Fraction(0),
            empty=query("unknown"),
            garbage=query("absurd"),
            failing=query("failing"),
            spec={"line": "up"},
        )

    def test_not_applicable_is_an_answer_of_its_own(self, bench):
        query = Script.query({"line": "stopped"}, "availability", first=0, length=60)
        answer = bench.service.read_one(query, INTERVAL).answer
        assert answer is NOT_APPLICABLE
        assert answer != NO_DATA

    def test_a_service_with_its_own_history_takes_no_samples(self, bench):
        assert bench.service.sample([bench.value], 0) is None


class TestUnits:
    @pytest.mark.parametrize(
        ("metric", "amount", "code"),
        [
            ("availability", Fraction(0), 0),
            ("availability", Fraction(1_000_000), 1_000_000),
            ("availability", Fraction(2_000_000, 3), 666_666),
            ("latency", Fraction(1, 1000), 1),
            ("latency", Fraction(250), 250),
            ("error_rate", Fraction(1_000_000, 3), 333_334),
            ("throughput", Fraction(LARGEST_CODE), LARGEST_CODE),
        ],
    )
    def test_a_code_is_rounded_to_the_worse_side(self, metric, amount, code):
        assert encode(METRICS[metric], amount) == code

    @pytest.mark.parametrize("metric", METRICS.values(), ids=str)
    def test_rounding_changes_no_verdict(self, metric):
        for threshold in range(4):
            for amount in (Fraction(n, 7) for n in range(30)):
                code = encode(metric, amount)
                if metric.better == "higher":
                    assert (code >= threshold) == (amount >= threshold)
                else:
                    assert (code <= threshold) == (amount <= threshold)

    @pytest.mark.parametrize(
        ("metric", "amount"),
        [
            ("availability", Fraction(-1)),
            ("availability", Fraction(1_000_001)),
            ("latency", Fraction(-1, 1000)),
            ("latency", LARGEST_CODE + Fraction(1, 1000)),
            ("throughput", Fraction(LARGEST_CODE + 1)),
        ],
    )
    def test_nothing_is_clamped_into_the_range(self, metric, amount):
        with pytest.raises(GarbageAnswer):
            encode(METRICS[metric], amount)
        with pytest.raises(GarbageAnswer):
            Reading(Value(amount), METRICS[metric], INTERVAL, "test", b"{}")

    def test_the_largest_code_leaves_two_for_what_is_no_number(self):
        assert LARGEST_CODE == 2**32 - 3

    @pytest.mark.parametrize(
        ("unit", "text", "amount"),
        [
            ("ppm", "99.95 %", Fraction(999_500)),
            ("ppm", "99.9995%", Fraction(999_995)),
            ("ppm", "12", Fraction(12)),
            ("ms", "1.5s", Fraction(1500)),
            ("ms", "250 ms", Fraction(250)),
            ("count", "3", Fraction(3)),
        ],
    )
    def test_quantities_are_read_exactly(self, unit, text, amount):
        assert UNITS[unit].amount(text) == amount

    @pytest.mark.parametrize("text", ["", "%", "-1 %", "1e3", "nan", "1 s", "1 % %", "1,5"])
    def test_other_text_is_refused(self, text):
        with pytest.raises(BadRequest, match="not a quantity in ppm"):
            UNITS["ppm"].amount(text)

    @pytest.mark.parametrize(
        ("double", "exact"),
        [(99.89999999999999, "99.9"), (0.1 + 0.2, "0.3"), (1 / 3, "0.333333333333333"), (7, "7")],
    )
    def test_a_double_means_fifteen_digits(self, double, exact):
        assert from_double(double) == Fraction(exact)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, "1", True])
    def test_what_is_no_finite_number_is_garbage(self, value):
        with pytest.raises(GarbageAnswer):
            from_double(value)


class TestAnswers:
    @pytest.mark.parametrize("amount", [float("nan"), float("inf")])
    def test_a_value_cannot_be_nan_or_infinite(self, amount):
        with pytest.raises((ValueError, OverflowError)):
            Value(amount)

    @pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 4), (-1, 4)])
    def test_an_interval_has_a_length(self, start, end):
        with pytest.raises(ValueError, match="not an interval"):
            Interval(start, end)

    def test_canonical_json_does_not_depend_on_the_order_of_keys(self):
        assert canonical({"b": [1], "a": "ü"}) == canonical({"a": "ü", "b": [1]})
        with pytest.raises(ValueError, match=r"nan|NaN"):
            canonical(float("nan"))

    def test_intervals_are_numbered_from_the_first(self):
        query = Script.query({"line": "up"}, "availability", first=120, length=60)
        assert query.interval(0) == Interval(120, 180)
        assert query.interval(9) == Interval(660, 720)
        with pytest.raises(ValueError, match="no interval"):
            query.interval(-1)
        assert not query.asks(Interval(60, 120))


class TestEvidence:
    """What is handed over is read by whoever gets it: nothing in it may do more than be refused."""

    @pytest.fixture
    def query(self):
        return Points.query({"unit": "count"}, "throughput", first=600, length=60)

    @pytest.mark.parametrize("number", [2**53, 10**17, 1e21, 1.5e300, 5e-324, -0.0])
    def test_a_number_survives_whatever_its_size(self, query, number):
        reading = Points()._reading(query, INTERVAL, {"points": [[600_000, float(number)]]})
        assert Points.reread(query, INTERVAL, reading.evidence) == reading

    @pytest.mark.parametrize(
        "answer",
        ["NaN", "Infinity", "1e999", "9" * 400, "9" * 5000, "9007199254740993", "[" * 99_999],
        ids=lambda text: text[:9],
    )
    def test_what_json_cannot_hold_is_refused(self, query, answer):
        good = Points()._reading(query, INTERVAL, {"points": [[600_000, 4321.5]]}).evidence
        with pytest.raises(GarbageAnswer):
            Points.reread(query, INTERVAL, good.replace(b"4321.5", answer.encode()))


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    scale: Decimal = Decimal(1)


class OldSpec(Spec):
    line: str
    timeout: Decimal = Decimal(5)
    inner: Inner | None = None


class NewInner(Inner):
    added: str | None = None


class NewSpec(OldSpec):
    inner: NewInner | None = None
    added: int = 7
    also: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it


class OldService(ScriptedService):
    Spec = OldSpec
    script = {"up": lambda _: 999_000}  # noqa: RUF012


class NewService(OldService):
    Spec = NewSpec


class TestVersions:
    """Parties with different versions verify each other; a default may be written or not."""

    @staticmethod
    def ask(service, **more):
        return service.query({"line": "up", **more}, "availability", first=0, length=60)

    @pytest.mark.parametrize("more", [{}, {"inner": {"name": "x"}}, {"timeout": "7.5"}], ids=str)
    def test_a_field_that_is_added_changes_neither_evidence_nor_the_name_of_samples(self, more):
        old, new = self.ask(OldService, **more), self.ask(NewService, **more)
        assert old.key == new.key
        reading = OldService().read_one(old, INTERVAL)
        assert NewService.reread(new, INTERVAL, reading.evidence) == reading
        assert NewService().read_one(new, INTERVAL) == reading

    def test_a_default_that_is_written_is_the_same_question(self):
        brief = self.ask(NewService, inner={"name": "x"})
        long = self.ask(
            NewService,
            timeout="5.0",
            added=7,
            also={},
            inner={"name": "x", "scale": 1, "added": None},
        )
        assert brief.key == long.key
        assert brief.spec.public() == long.spec.public() == {"line": "up", "inner": {"name": "x"}}

    @pytest.mark.parametrize(
        "more",
        [{"added": 8}, {"also": {"a": "b"}}, {"inner": {"name": "x", "added": "y"}}],
        ids=str,
    )
    def test_whatever_differs_from_a_default_is_another_question(self, more):
        one, other = self.ask(NewService), self.ask(NewService, **more)
        assert one.key != other.key
        evidence = NewService().read_one(one, INTERVAL).evidence
        with pytest.raises(GarbageAnswer, match="another spec"):
            NewService.reread(other, INTERVAL, evidence)

    @pytest.mark.parametrize("name", registry.BUILT_IN)
    def test_a_default_never_changes_and_a_field_is_never_required_later(self, name):
        """New fields are added to the file; what stands there already stays as it is."""
        pinned = json.loads((ROOT / "tests" / "oracles" / "spec_defaults.json").read_text())
        assert _defaults(load(name).Spec) == pinned[name]

    @pytest.mark.parametrize("name", registry.BUILT_IN)
    def test_a_sample_with_all_defaults_written_is_the_same_question(self, name):
        sample = YAML(typ="safe").load(ROOT / "samples" / f"{name}.yaml")["indicator"]
        service, metric = load(name), sample["metric"]
        brief = service.query(sample["dataSource"]["spec"], metric, first=0, length=300)
        written = json.loads(json.dumps(brief.spec.model_dump(mode="json")))
        long = service.query(written, metric, first=0, length=300)
        assert brief.key == long.key
        assert brief.spec.public() == long.spec.public()


def _defaults(spec):
    """{field: default} of a specification and of the models in it; a field without one is required.

    A default that a function makes would be compared with nothing, and so is not allowed.
    """
    schema = spec.model_json_schema()
    models = {"": schema, **schema.get("$defs", {})}
    found = {}
    for model, content in models.items():
        for field, said in content.get("properties", {}).items():
            name = f"{model}.{field}".lstrip(".")
            required = field in content.get("required", [])
            assert required or "default" in said, name
            found[name] = "(required)" if required else said["default"]
    return found


class TestErrors:
    def test_only_some_are_worth_another_attempt(self):
        retryable = {Unavailable, Throttled, GarbageAnswer}
        final = {AccessRefused, BadRequest, MissingExtra, UnknownService}
        assert all(kind.retryable for kind in retryable)
        assert not any(kind.retryable for kind in final)

    def test_the_tree_in_the_docstring_is_complete(self):
        kinds = [v for v in vars(oracles.errors).values() if isinstance(v, type)]
        assert all(kind.__name__ in oracles.errors.__doc__ for kind in kinds)
        assert all(issubclass(kind, MonitoringError) for kind in kinds)

    def test_everything_public_is_listed(self):
        modules = {"base", "errors", "registry", "units"}
        public = {
            name
            for name, value in vars(oracles).items()
            if not name.startswith("_") and name not in modules and not hasattr(value, "__path__")
        }
        assert {name for name in public if name[0].isupper() or name in oracles.__all__} == set(
            oracles.__all__
        )


class TestStore:
    def test_the_first_sample_of_a_second_stands(self):
        store = MemorySampleStore()
        for at, sample in ((5, b"later"), (3, b"first"), (3, b"second"), (6, b"outside")):
            store.put("a", at, sample)
        store.put("b", 4, b"another's")
        assert list(store.get("a", 3, 6)) == [(3, b"first"), (5, b"later")]
        assert list(store.get("c", 0, 9)) == []


class TestRegistry:
    @pytest.fixture
    def plugins(self, monkeypatch):
        def install(**points):
            found = [EntryPoint(n, value, registry.GROUP) for n, value in points.items()]
            monkeypatch.setattr(registry, "entry_points", lambda group: found)

        return install

    def test_built_in_services_are_found_by_name(self, plugins):
        plugins()
        assert registry.available() == sorted(registry.BUILT_IN)
        for name in registry.available():
            assert load(name).name == name

    def test_another_packages_service_is_found_by_its_entry_point(self, plugins):
        plugins(scripted="oracles.testing:ScriptedService")
        assert "scripted" in registry.available()
        assert load("scripted") is ScriptedService

    def test_an_unknown_name_gets_the_nearest(self, plugins):
        plugins()
        with pytest.raises(UnknownService, match=r"there is: .*did you mean 'cloudwatch'"):
            load("cloudwach")

    def test_a_missing_extra_names_what_to_install(self, plugins, monkeypatch):
        plugins()
        monkeypatch.setitem(sys.modules, "boto3", None)
        for module in ("oracles.cloudwatch", "oracles.clients.aws_client"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(MissingExtra, match=r"boto3: pip install 'makegood\[aws\]'"):
            load("cloudwatch")

    @pytest.mark.parametrize(
        ("value", "complaint"),
        [
            ("oracles.testing:Missing", "cannot be loaded"),
            ("oracles.testing:MemorySampleStore", "not a MonitoringService"),
            ("oracles.testing:ScriptedService", "calls itself scripted"),
            ("nowhere.at_all:Service", "needs the package nowhere"),
        ],
    )
    def test_a_broken_plugin_is_one_clear_error(self, plugins, value, complaint):
        plugins(mine=value)
        with pytest.raises(BadRequest, match=complaint):
            load("mine")

    def test_a_name_claimed_twice_is_refused(self, monkeypatch):
        found = [EntryPoint("mine", value, registry.GROUP) for value in ("a:B", "c:D")]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        with pytest.raises(BadRequest, match="several packages claim mine: a:B, c:D"):
            load("mine")

    def test_a_built_in_service_cannot_be_replaced(self, plugins):
        plugins(http_probe="oracles.testing:ScriptedService")
        assert load("http_probe").__module__ == "oracles.http_probe"

    @pytest.mark.parametrize("name", registry.BUILT_IN)
    def test_module_page_and_sample_share_the_name(self, name):
        assert (ROOT / "oracles" / f"{name}.py").is_file()
        assert (ROOT / "docs" / "oracles" / f"{name}.md").is_file()
        sample = YAML(typ="safe").load(ROOT / "samples" / f"{name}.yaml")["indicator"]
        source = sample["dataSource"]
        assert source["type"] == name
        query = load(name).query(source["spec"], sample["metric"], first=0, length=300)
        assert query.metric.name == sample["metric"]

    @pytest.mark.parametrize("name", registry.BUILT_IN)
    def test_the_page_names_every_field_and_option(self, name):
        service = load(name)
        page = (ROOT / "docs" / "oracles" / f"{name}.md").read_text()
        for field in (*service.Spec.model_fields, *service.Options.model_fields):
            assert f"`{field}`" in page, field
