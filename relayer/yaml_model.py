"""Checks a YAML tree against a pydantic model and says what is wrong in words, at the line where it is wrong."""

from __future__ import annotations

import re
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from relayer.names import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    from relayer.yaml_lines import Location, Node, Problem

_ModelT = TypeVar("_ModelT", bound=BaseModel)
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
}
_WORD = re.compile(r"'([^']*)'")


def check(
    model: type[_ModelT],
    tree: Node,
    at: Location = (),
    *,
    secret: bool = False,
    advice: dict[str, str] | None = None,
) -> tuple[_ModelT | None, list[Problem]]:
    """The value at ``at`` as a model, or what is wrong with it.

    :param secret: Whether values must not be repeated in messages.
    :param advice: What to add to the message about a field that is missing, by the field's location in words.
    """
    node = tree.get(*at)
    try:
        return model.model_validate(node.plain() if node else None), []
    except ValidationError as error:
        return None, [
            _problem(model, tree, at, details, secret=secret, advice=advice or {})
            for details in error.errors(include_url=False)
        ]


def without_value(
    tree: Node, at: Location = (), *, free: Callable[[Location], bool]
) -> Iterator[Problem]:
    """Fields that are written without a value.

    :param free: Whether what stands at a location may hold anything.
    """
    node = tree.get(*at)
    if node is None or free(at):
        return
    children: list[tuple[str | int, Node]] = []
    if isinstance(node.value, dict):
        children = list(node.value.items())
    elif isinstance(node.value, list):
        children = list(enumerate(node.value))
    for part, child in children:
        if child.value is None:
            message = "has no value: write one, or leave the field out"
            yield tree.problem((*at, part), message)
        else:
            yield from without_value(tree, (*at, part), free=free)


def found(value: object) -> str:
    """How a message names what it found."""
    if value is None:
        return "found nothing"
    if isinstance(value, bool):
        return f"found {str(value).lower()}"
    if isinstance(value, int):
        return f"found the number {value}"
    if isinstance(value, str):
        short = value if len(value) <= 80 else f"{value[:77]}..."
        return f'found "{short}"'
    return "found a list" if isinstance(value, list | tuple) else "found a mapping"


def _problem(
    model: type[BaseModel],
    tree: Node,
    at: Location,
    details: ErrorDetails,
    *,
    secret: bool,
    advice: dict[str, str],
) -> Problem:
    inner = details["loc"]
    location = (*at, *_existing(tree, at, inner))
    kind, context = details["type"], details.get("ctx", {})
    name = str(inner[-1]) if inner else ""
    if kind == "missing":
        more = advice.get(name)
        return tree.problem(location, f"is missing{f'; {more}' if more else ''}")
    if kind == "extra_forbidden":
        known = _fields(_annotation_at(model, inner[:-1]))
        return tree.problem(location, f"unknown field; {nearest(name, known)}", at_key=True)
    value = details["input"]
    if kind == "literal_error":
        allowed = nearest(str(value), _WORD.findall(context["expected"]))
    elif kind in _EXPECTED:
        allowed = f"expected {_EXPECTED[kind]}"
    elif kind == "value_error":
        allowed = str(context["error"])
    elif kind in ("too_short", "too_long"):
        allowed = _amount(context)
    else:
        allowed = details["msg"][:1].lower() + details["msg"][1:]
    shown = isinstance(value, str | int | list | dict | tuple | types.NoneType) and not secret
    if kind in ("too_short", "too_long") or (kind == "value_error" and _is_part(model, inner)):
        shown = False  # the message is about what is in it
    return tree.problem(location, f"{found(value)}; {allowed}" if shown else allowed)


def _is_part(model: type[BaseModel], inner: Location) -> bool:
    """Whether a mapping of several fields is at a location."""
    found = _annotation_at(model, inner)
    return isinstance(found, type) and issubclass(found, BaseModel)


def _amount(context: dict[str, Any]) -> str:
    """How many entries are allowed, and how many there are."""
    least, most = context.get("min_length"), context.get("max_length")
    allowed = f"at most {most}" if least is None else f"at least {least}"
    return f"write {allowed}, not {context['actual_length']}"


def _existing(tree: Node, at: Location, inner: Location) -> Iterator[str | int]:
    """The location without what pydantic adds to it: union members, "[key]", fields of what is written as one word."""
    node = tree.get(*at)
    for place, part in enumerate(inner):
        below = node.get(part) if node else None
        invented = place < len(inner) - 1 or part == "[key]" or not _holds_keys(node)
        if below is None and invented:
            continue
        node = below
        yield part


def _holds_keys(node: Node | None) -> bool:
    return node is not None and isinstance(node.value, dict)


def _annotation_at(annotation: Any, inner: Location) -> Any:
    """The type that a model has at a location."""
    for part in inner:
        annotation = _bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields = annotation.model_fields.items()
            annotation = next(
                (info.annotation for name, info in fields if part in (info.alias, name)), None
            )
        else:
            arguments = [a for a in typing.get_args(annotation) if a is not Ellipsis]
            annotation = arguments[-1] if arguments else None
    return _bare(annotation)


def _bare(annotation: Any) -> Any:
    """A type without ``Annotated`` and without ``| None``."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
            annotation = next(a for a in typing.get_args(annotation) if a is not types.NoneType)
        else:
            return annotation


def _fields(annotation: Any) -> list[str]:
    """The names of a model's fields as they are written."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    return [info.alias or name for name, info in annotation.model_fields.items()]
