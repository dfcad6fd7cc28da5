"""The layers of a configuration, what beats what, and where each value comes from.

What wins: a flag, then the environment (``MAKEGOOD_…``), then the project's file (``makegood.yaml``, or what ``--config`` or
``MAKEGOOD_CONFIG`` names), then the user's file (``$XDG_CONFIG_HOME/makegood/makegood.yaml``), then the default.

Values that may be secret can refer to one: ``${NAME}`` is a variable of the environment, ``${file:/path}`` the content of a
file, and so is a whole value ``file:/path``. ``sources`` are passed on as written: adapters resolve their own references.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, ValidationError

from oracles.registry import available
from relayer import yaml_lines, yaml_model
from relayer.config import values
from relayer.config.model import Configuration
from relayer.config.model import folder as xdg_folder
from relayer.config.names import CONFIG_VARIABLE, FLAGS, OF_SCRIPTS, PREFIX, VARIABLES
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.redaction import REFERENCE, redacted, redacted_database, redacted_url
from relayer.yaml_lines import Location, Node, Plain, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROJECT_FILE: Final = "makegood.yaml"

_PATHS: frozenset[Location] = frozenset(
    {("key", "keystore"), ("key", "file"), ("key", "passwordFile")}
)
_MAY_REFER: tuple[Location, ...] = (
    ("rpcUrl",),
    ("database",),
    ("evidenceKey",),
    ("key", "awsKms"),
    ("exchange", "peers"),
    ("operations", "webhook"),
)
_MUST_REFER: Final = ("evidenceKey",)
"""Would lie beside the database that it protects, if it could be written there in clear."""
_KINDS_OF_KEYS = ("keystore", "file", "awsKms")


def _fields(model: type[BaseModel] = Configuration) -> Iterator[Location]:
    """Where each value stands: all that a layer sets or leaves alone as a whole, but ``sources``."""
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from ((alias, *below) for below in _fields(info.annotation))
        elif name != "sources":
            yield (alias,)


_FIELDS: Final = tuple(_fields())


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, where each of its values comes from, and what looks like a mistake."""

    configuration: Configuration
    origins: Mapping[str, str]
    notices: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """All values by their names as written, without secrets."""
        config = self.configuration
        written = config.model_dump(by_alias=True)
        return {
            **{dotted(field): _shown(_get(written, field)) for field in _FIELDS},
            "rpcAgreement": config.rpc_agreement,
            **{
                f"sources.{name}": redacted(options)
                for name, options in sorted(config.sources.items())
            },
        }


def _shown(value: Any) -> Any:
    """A value as it is written, without secrets."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return _shown(text) if "://" in text else "***"
    if isinstance(value, str) and "://" in value:
        return (redacted_database if value.startswith(values.POSTGRESQL) else redacted_url)(value)
    if isinstance(value, list):
        shown = [_shown(one) for one in value]
        return shown[0] if len(shown) == 1 and isinstance(value[0], SecretStr) else shown
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return values.shown(value)
    return f"{value:f}" if isinstance(value, Decimal) else _text(value)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def load(
    *,
    file: Path | None = None,
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Loaded:
    """The configuration in force.

    :param file: What ``--config`` names.
    :param flags: Values by the names of :data:`FLAGS`.
    :param folder: Where the project is; by default the current folder.
    :raises ConfigurationError: With all that is wrong in the first layer that is.
    """
    here = folder or Path.cwd()
    user = xdg_folder("XDG_CONFIG_HOME", ".config", environ) / PROJECT_FILE
    layers = [_defaults()]
    if user.is_file():
        layers.append(_from_file(user, environ))
    if project := _project_file(file, environ, here):
        layers.append(_from_file(project, environ))
    variables = {name: value for name, value in environ.items() if name in VARIABLES and value}
    layers.append(_from_words(variables, VARIABLES, here))
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers.append(_from_words(given, FLAGS, here))
    merged: dict[Location, tuple[Any, str]] = {}
    for layer in layers:
        _without_other_key(merged, layer)
        merged.update(layer)
    content: dict[str, Any] = {}
    for location, (value, _) in merged.items():
        _put(content, location, value)
    configuration = Configuration.model_validate(content)
    faults = [
        f"{merged[location][1]}: {dotted(location)}: {rule}"
        for location, rule in configuration.contradictions()
    ]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return Loaded(
        configuration,
        {dotted(location): origin for location, (_, origin) in merged.items()},
        tuple(_unknown_variables(environ)),
    )


_Layer = dict[Location, tuple[Any, str]]


def _defaults() -> _Layer:
    defaults = Configuration().model_dump(by_alias=True)
    return {location: (_get(defaults, location), "default") for location in _FIELDS}


def _project_file(file: Path | None, environ: Mapping[str, str], here: Path) -> Path | None:
    named = file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        return here / named
    usual = here / PROJECT_FILE
    return usual if usual.is_file() else None


def _from_file(file: Path, environ: Mapping[str, str]) -> _Layer:
    tree = yaml_lines.load(file)
    if tree.value is None:
        return {}
    content = tree.plain()
    problems = list(_resolve(tree, content, environ))
    if not problems:
        check = partial(yaml_model.check, Configuration, secret=True)
        # References are filled in: the check sees values, the messages lines.
        _, problems = check(_Filled(tree, content))
    if isinstance(content, dict) and isinstance(content.get("sources"), dict):
        names = available()
        problems += [
            tree.problem(
                ("sources", name),
                f"unknown monitoring service; {nearest(name, names)}",
                at_key=True,
            )
            for name in content["sources"]
            if name not in names
        ]
    if problems or not isinstance(content, dict):
        raise yaml_lines.InvalidFile(file, problems)
    layer: _Layer = {}
    locations = [*_FIELDS, *(("sources", name) for name in content.get("sources") or {})]
    for location in locations:
        value = _get(content, location)
        if value is not None:
            place = tree.problem(location, "", at_key=True)
            layer[location] = (_placed(location, value, file.parent), f"{file}:{place.line}")
    return layer


class _Filled(Node):
    """A tree whose plain value has its references filled in."""

    def __init__(self, tree: Node, values: Plain) -> None:
        super().__init__(tree.line, tree.column, tree.value, tree.keys)
        self._values = values

    def get(self, *location: str | int) -> Node | None:
        return super().get(*location) if location else self

    def plain(self) -> Plain:
        return self._values


def _resolve(
    tree: Node, content: Plain, environ: Mapping[str, str]
) -> Iterator[yaml_lines.Problem]:
    """Fills references in, where they are allowed, and tells which cannot be."""
    if not isinstance(content, dict):
        return
    faults: list[tuple[Location, str]] = []

    def filled(value: Any, location: Location) -> Any:
        if isinstance(value, dict):
            return {name: filled(below, (*location, name)) for name, below in value.items()}
        if isinstance(value, list):
            return [filled(below, (*location, number)) for number, below in enumerate(value)]
        if not isinstance(value, str):
            return value
        if location[:1] == _MUST_REFER and not (
            value.startswith("file:") or REFERENCE.search(value)
        ):
            faults.append((location, "write it as ${NAME} or ${file:/path}, not in clear"))
            return value
        try:
            return _filled(value, environ)
        except ValueError as error:
            faults.append((location, str(error)))
            return value

    for location in _MAY_REFER:
        if (value := _get(content, location)) is not None:
            _put(content, location, filled(value, location))
    yield from (tree.problem(location, message) for location, message in faults)


def _filled(text: str, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match["file"]:
            found = content(match["file"])
        elif not (found := environ.get(match["name"], "")):
            raise ValueError(f"the environment variable {match['name']} is not set")
        # Within a database's address a password may hold characters that mean something there.
        return quote(found, safe="") if text.startswith(values.POSTGRESQL) else found

    def content(name: str) -> str:
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the file {name} ({type(error).__name__})") from None

    if text.startswith("file:"):
        return content(text.removeprefix("file:"))
    return REFERENCE.sub(value, text)


def _from_words(words: Mapping[str, str], places: Mapping[str, Location], here: Path) -> _Layer:
    """A layer of single values, each with a name of its own: variables or flags."""
    content: dict[str, Any] = {}
    for name, word in words.items():
        _put(content, places[name], _split(places[name], word))
    try:
        Configuration.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(
                f"{_named(details['loc'], words, places)}: {_said(details)}"
                for details in error.errors(include_input=False, include_url=False)
            )
        ) from None
    return {
        places[name]: (_placed(places[name], _get(content, places[name]), here), name)
        for name in words
    }


def _split(location: Location, word: str) -> str | list[str]:
    """Several values in one word."""
    if location == ("agreements",):
        return word.split(os.pathsep)
    if location in (("rpcUrl",), ("evidenceKey",)):
        return [one for one in re.split(r"[\s,]+", word) if one]
    return word


def _named(location: Location, words: Iterable[str], places: Mapping[str, Location]) -> str:
    """The variable or flag whose value is wrong; all of them, if their values do not go together."""
    wrong = [name for name in words if location[: len(places[name])] == places[name]]
    return " and ".join(wrong or sorted(words))


def _said(details: Any) -> str:
    error = details.get("ctx", {}).get("error")
    return str(error) if error else str(details["msg"]).replace("Input should", "it should")


def _placed(location: Location, value: Any, here: Path) -> Any:
    """Paths are relative to the file that names them."""
    if location in _PATHS or (location == ("database",) and "://" not in str(value)):
        return here / Path(str(value)).expanduser()
    if location == ("agreements",):
        return [str(here / Path(pattern).expanduser()) for pattern in value]
    return value


def _without_other_key(merged: _Layer, layer: _Layer) -> None:
    """A layer that names one kind of key takes back the other kinds of the layers below it."""
    for kind in _KINDS_OF_KEYS:
        if ("key", kind) in layer:
            for other in _KINDS_OF_KEYS:
                merged[("key", other)] = (None, layer[("key", kind)][1])


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {*VARIABLES, CONFIG_VARIABLE}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | OF_SCRIPTS:
            yield f"the environment variable {name} means nothing; {nearest(name, known)}"


def _get(content: Any, location: Iterable[str | int]) -> Any:
    for part in location:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _put(content: dict[str, Any], location: Location, value: Any) -> None:
    *above, last = (str(part) for part in location)
    for part in above:
        content = content.setdefault(part, {})
    content[last] = value
