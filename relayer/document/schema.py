"""The JSON Schema (draft 2020-12) of SLA documents, for editors and other programs; ``sla.schema.json`` is made by it.

``python -m relayer.document.schema`` writes the file anew. Editors apply it to every document of a YAML file, so it
describes OpenSLO objects, too. What fields mean together, only ``makegood sla validate`` knows.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from relayer.document import model
from relayer.openslo.fields import ANNOTATION_KEY, LABEL_KEY
from relayer.openslo.model import KINDS

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = "sla.schema.json"
ID = "urn:makegood:schema:v1:sla"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DEFINITIONS = "#/$defs/"
# What pydantic calls models whose names exist in both packages.
_OPENSLO = "relayer__openslo__model__"
_PREFIXES = {"relayer__document__model__": "", _OPENSLO: "OpenSLO"}


@cache
def published() -> str:
    """The text of the schema as it stands in the package."""
    text = files("relayer.document").joinpath(FILE).read_text(encoding="utf-8")
    return text.rstrip("\n")


def generated() -> str:
    """The text that follows from the models."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> dict[str, Any]:
    kinds: dict[str, type[BaseModel]] = {model.KIND: model.DocumentModel, **KINDS}
    references, whole = models_json_schema(
        [(described, "validation") for described in dict.fromkeys(kinds.values())],
        schema_generator=_Generator,
    )
    chosen = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": references[described, "validation"],
        }
        for kind, described in kinds.items()
    ]
    definitions = whole["$defs"]
    _level(definitions["LevelModel"], references[KINDS["SLO"], "validation"])
    _openslo(definitions)
    definitions["TierModel"]["oneOf"] = [{"required": [name]} for name in model.MEASURES]
    definitions["Reporter"] = _reporter(definitions["Reporter"])
    schema = {
        "$schema": DIALECT,
        "$id": ID,
        "title": "SLA document",
        "description": "An SLA of makegood/v1, and the OpenSLO v1 objects beside it.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": list(kinds)}},
        "allOf": chosen,
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }
    renamed: dict[str, Any] = _renamed(schema)
    return renamed


def _openslo(definitions: dict[str, Any]) -> None:
    """Which fields of OpenSLO objects go together."""
    for name, fields in (
        ("SLISpec", ("thresholdMetric", "ratioMetric")),
        (f"{_OPENSLO}Objective", ("target", "targetPercent")),
    ):
        definitions[name]["oneOf"] = [{"required": [field]} for field in fields]
    ratio = {"good": ["bad", "raw", "rawType"], "bad": ["good", "raw", "rawType"]}
    definitions["RatioMetric"]["oneOf"] = [
        *({"required": [name, "total"], **_without(others)} for name, others in ratio.items()),
        {"required": ["raw", "rawType"], **_without(["good", "bad", "total"])},
    ]
    definitions["SLOSpec"]["not"] = {"required": ["indicator", "indicatorRef"]}
    definitions["TimeWindow"] |= {
        "if": {"properties": {"isRolling": {"const": True}}, "required": ["isRolling"]},
        "then": _without(["calendar"]),
        "else": {"required": ["calendar"]},
    }
    for keys, pattern in (("labels", LABEL_KEY), ("annotations", ANNOTATION_KEY)):
        described = definitions[f"{_OPENSLO}Metadata"]["properties"][keys]
        described["propertyNames"] = {"pattern": f"^(?:{pattern})$"}


def _without(names: list[str]) -> dict[str, Any]:
    return {"not": {"anyOf": [{"required": [name]} for name in names]}}


class _Generator(GenerateJsonSchema):
    """A field that may be left out is not one that may be null, and its name is title enough."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        # Defaults of the models are what is read, not what people write.
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def _level(level: dict[str, Any], slo: dict[str, Any]) -> None:
    """A level is in our own words, or an SLO with what OpenSLO has no word for."""
    own = ["indicator", "objective"]
    always = [name for name in level["required"] if name not in (*own, "name", "interval")]
    level["required"] = always
    level["oneOf"] = [
        {"required": ["name", *own, "interval"], **_without(["slo", "sloRef"])},
        {"required": ["sloRef"], **_without(own)},
        {"required": ["slo"], **_without(own)},
    ]
    level["properties"]["slo"] = slo


def _reporter(mapping: dict[str, Any]) -> dict[str, Any]:
    """A key may stand alone."""
    return {"anyOf": [mapping["properties"]["key"], mapping]}


def _renamed(value: Any) -> Any:
    """The same with shorter names of definitions, and without what says nothing."""
    if isinstance(value, list):
        return [_renamed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if key == "title" and isinstance(inner, str) and inner != "SLA document":
            continue
        if key == "$ref":
            found[key] = _DEFINITIONS + _short(inner.removeprefix(_DEFINITIONS))
        elif key == "$defs":
            found[key] = {_short(name): _renamed(one) for name, one in inner.items()}
        else:
            found[key] = _renamed(inner)
    return found


def _short(name: str) -> str:
    for prefix, short in _PREFIXES.items():
        if name.startswith(prefix):
            return short + name.removeprefix(prefix)
    return name


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(generated(), encoding="utf-8")
