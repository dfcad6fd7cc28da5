"""What is wrong with the fields of a specification or of options, in words for people.

No message repeats a value: it may be a secret that was written into the wrong place.
"""

from __future__ import annotations

import difflib
import typing
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_ALLOWED: Final = {
    "string_type": "must be a text; what looks like a number needs quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must have fields (name: value)",
    "model_type": "must have fields (name: value)",
    "model_attributes_type": "must have fields (name: value)",
    "dataclass_type": "must have fields (name: value)",
    "path_type": "must be the path of a file",
    "path_not_file": "there is no such file",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "must be a text like the pattern {pattern}",
    "literal_error": "must be one of {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "value_error": "{error}",
    "url_parsing": "must be an address such as https://example.com/path",
    "url_scheme": "must begin with one of {expected_schemes}",
    "url_type": "must be an address such as https://example.com/path",
}
"""By pydantic's types of faults; the braces are filled from a fault's context, which holds rules and no input."""


def wrong_fields(model: type[BaseModel], error: ValidationError) -> str:
    """One line about all faults: "period: is missing; sampels: unknown field; allowed: ..."."""
    faults = error.errors(include_input=False, include_url=False)
    return "; ".join(dict.fromkeys(_fault(model, fault) for fault in faults))


def _fault(model: type[BaseModel], fault: ErrorDetails) -> str:
    place = [str(part) for part in fault["loc"]]
    where = ".".join(place)
    if fault["type"] == "missing":
        said = "is missing"
    elif fault["type"] == "extra_forbidden":
        said = f"unknown field; {_nearest(place[-1], _fields_at(model, place[:-1]))}"
    else:
        said = _said(fault["type"], fault["msg"], fault.get("ctx", {}))
    return f"{where}: {said}" if where else said


def _said(kind: str, message: str, context: Mapping[str, Any]) -> str:
    try:
        return _ALLOWED[kind].format(**context)
    except KeyError:  # a type of fault that is not listed, or that says less than expected
        return message[:1].lower() + message[1:]


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else ""
    return f"allowed: {', '.join(known) or 'nothing'}{meant}"


def _fields_at(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """Names of the fields that are allowed inside the field at `place`; none if it is no model."""
    annotation: object = model
    for part in place:
        models = [one for one in _models(annotation) if part in one.model_fields]
        if models:  # otherwise the part is an index or a key, and what is below stands in it too
            annotation = models[0].model_fields[part].annotation
    names = {
        field.alias or name
        for one in _models(annotation)
        for name, field in one.model_fields.items()
    }
    return sorted(names)


def _models(annotation: object) -> list[type[BaseModel]]:
    """The models in an annotation such as `Source | None` or `dict[str, Source]`."""
    if inner := typing.get_args(annotation):
        return [model for one in inner for model in _models(one)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return []
