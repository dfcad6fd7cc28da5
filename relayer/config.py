"""What the operator of a relayer chooses: read once, checked, and passed on as one object.

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
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from oracles.registry import available
from relayer import yaml_lines, yaml_model
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.redaction import REFERENCE, redacted, redacted_url
from relayer.yaml_lines import Location, Node, Plain, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROJECT_FILE: Final = "makegood.yaml"
CONFIG_VARIABLE: Final = "MAKEGOOD_CONFIG"
PREFIX: Final = "MAKEGOOD_"

VARIABLES: Final[Mapping[str, Location]] = {
    "MAKEGOOD_RPC_URL": ("rpcUrl",),
    "MAKEGOOD_DATABASE": ("database",),
    "MAKEGOOD_KEYSTORE": ("key", "keystore"),
    "MAKEGOOD_KEY_FILE": ("key", "file"),
    "MAKEGOOD_PASSWORD_FILE": ("key", "passwordFile"),
    "MAKEGOOD_AGREEMENTS": ("agreements",),
    "MAKEGOOD_POLL_SECONDS": ("pollSeconds",),
    "MAKEGOOD_MAX_FEE_PER_GAS_GWEI": ("maxFeePerGasGwei",),
    "MAKEGOOD_LOG_FORMAT": ("logFormat",),
}
OF_SCRIPTS: Final = frozenset(
    f"MAKEGOOD_{name}" for name in ("ACCOUNT", "CHAIN_PORT", "DEPLOYMENTS", "REPLACE", "YES")
)
"""Variables of the deployment scripts, which share the environment: see scripts/README.md."""
FLAGS: Final[Mapping[str, Location]] = {
    "--rpc-url": ("rpcUrl",),
    "--database": ("database",),
    "--keystore": ("key", "keystore"),
    "--key-file": ("key", "file"),
    "--password-file": ("key", "passwordFile"),
}

_FIELDS = tuple(VARIABLES.values())
_PATHS: frozenset[Location] = frozenset(
    {("database",), ("key", "keystore"), ("key", "file"), ("key", "passwordFile")}
)
_MAY_REFER: frozenset[Location] = frozenset({("rpcUrl",), ("database",)})


def _url(value: object) -> object:
    if isinstance(value, SecretStr):
        return value
    allowed = "write the address of an RPC endpoint: http:// or https:// and a host"
    if not isinstance(value, str) or re.search(r"\s", value):
        raise ValueError(allowed)
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(allowed)
    return value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class KeySettings(_Part):
    """Where a key lies: in a keystore or in a plain file, one of the two. Neither means: no key, a dry run."""

    keystore: Path | None = None
    file: Path | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> KeySettings:
        if self.keystore is not None and self.file is not None:
            raise ValueError("a key lies in a keystore or in a file, not in both")
        return self

    @property
    def configured(self) -> bool:
        return self.keystore is not None or self.file is not None


def _default_database() -> Path:
    return _xdg("XDG_STATE_HOME", ".local/state", os.environ) / "relayer.sqlite"


class Configuration(_Part):
    """All that a relayer's operator chooses.

    :param agreements: Files and patterns of SLA documents.
    :param sources: For each adapter what it needs to reach its monitoring service.
    :param poll_seconds: Pause between two looks at the chain.
    :param max_fee_per_gas_gwei: No transaction pays more.
    """

    rpc_url: Annotated[SecretStr, BeforeValidator(_url)] | None = None
    database: Path = Field(default_factory=_default_database)
    key: KeySettings = KeySettings()
    agreements: list[str] = []
    sources: dict[str, dict[str, Any]] = {}
    poll_seconds: Annotated[float, BeforeValidator(_number)] = Field(default=15, gt=0, le=3_600)
    max_fee_per_gas_gwei: Annotated[Decimal, BeforeValidator(_number)] = Field(
        default=Decimal(100), gt=0, le=1_000_000, decimal_places=9
    )
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def max_fee_per_gas(self) -> int:
        """The same in wei."""
        return int(self.max_fee_per_gas_gwei * 10**9)

    def needed_rpc_url(self) -> str:
        """Raises ConfigurationError if there is none."""
        if self.rpc_url is None:
            raise ConfigurationError(
                "no RPC endpoint is configured",
                hint="set rpcUrl in makegood.yaml, MAKEGOOD_RPC_URL or --rpc-url",
            )
        return self.rpc_url.get_secret_value()

    def agreement_files(self) -> list[Path]:
        """The SLA documents that ``agreements`` names, each once, sorted."""
        files: set[Path] = set()
        for pattern in self.agreements:
            path = Path(pattern)
            if re.search(r"[*?\[]", pattern):
                anchor = Path(path.anchor) if path.anchor else Path()
                files.update(anchor.glob(str(path.relative_to(path.anchor))))
            elif path.is_file():
                files.add(path)
            else:
                raise ConfigurationError(f"agreements names {path}, which is no file")
        return sorted(files)

    def secrets(self) -> list[str]:
        """What must not appear in any output."""
        if self.rpc_url is None:
            return []
        url = self.rpc_url.get_secret_value()
        parts = urlsplit(url)
        inner = [*parts.path.split("/"), parts.query, parts.username or "", parts.password or ""]
        return [url] * (redacted_url(url) != url) + [
            text for text in inner if len(text) >= 16 or (text and text == parts.password)
        ]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, where each of its values comes from, and what looks like a mistake."""

    configuration: Configuration
    origins: Mapping[str, str]
    notices: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """All values by their names as written, without secrets."""
        config = self.configuration
        url = config.rpc_url
        return {
            "rpcUrl": redacted_url(url.get_secret_value()) if url else None,
            "database": str(config.database),
            "key.keystore": _text(config.key.keystore),
            "key.file": _text(config.key.file),
            "key.passwordFile": _text(config.key.password_file),
            "agreements": list(config.agreements),
            "pollSeconds": config.poll_seconds,
            "maxFeePerGasGwei": f"{config.max_fee_per_gas_gwei:f}",
            "logFormat": config.log_format,
            **{
                f"sources.{name}": redacted(options)
                for name, options in sorted(config.sources.items())
            },
        }


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
    user = _xdg("XDG_CONFIG_HOME", ".config", environ) / PROJECT_FILE
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
    values: dict[str, Any] = {}
    for location, (value, _) in merged.items():
        _put(values, location, value)
    return Loaded(
        Configuration.model_validate(values),
        {dotted(location): origin for location, (_, origin) in merged.items()},
        tuple(_unknown_variables(environ)),
    )


_Layer = dict[Location, tuple[Any, str]]


def _defaults() -> _Layer:
    config = Configuration()
    values = config.model_dump(by_alias=True)
    return {location: (_get(values, location), "default") for location in _FIELDS}


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
    values = tree.plain()
    problems = list(_resolve(tree, values, environ))
    if not problems:
        check = partial(yaml_model.check, Configuration, secret=True)
        # References are filled in: the check sees values, the messages lines.
        _, problems = check(_Filled(tree, values))
    if isinstance(values, dict) and isinstance(values.get("sources"), dict):
        names = available()
        problems += [
            tree.problem(
                ("sources", name),
                f"unknown monitoring service; {nearest(name, names)}",
                at_key=True,
            )
            for name in values["sources"]
            if name not in names
        ]
    if problems or not isinstance(values, dict):
        raise yaml_lines.InvalidFile(file, problems)
    layer: _Layer = {}
    locations = [*_FIELDS, *(("sources", name) for name in values.get("sources") or {})]
    for location in locations:
        value = _get(values, location)
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


def _resolve(tree: Node, values: Plain, environ: Mapping[str, str]) -> Iterator[yaml_lines.Problem]:
    for location in _MAY_REFER:
        value = _get(values, location)
        if isinstance(value, str) and isinstance(values, dict):
            try:
                _put(values, location, _filled(value, environ))
            except ValueError as error:
                yield tree.problem(location, str(error))


def _filled(text: str, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match["file"]:
            return content(match["file"])
        if not environ.get(match["name"]):
            raise ValueError(f"the environment variable {match['name']} is not set")
        return environ[match["name"]]

    def content(name: str) -> str:
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the file {name} ({type(error).__name__})") from None

    if text.startswith("file:"):
        return content(text.removeprefix("file:"))
    return REFERENCE.sub(value, text)


def _from_words(words: Mapping[str, str], places: Mapping[str, Location], folder: Path) -> _Layer:
    """A layer of single values, each with a name of its own: variables or flags."""
    values: dict[str, Any] = {}
    for name, word in words.items():
        is_list = places[name] == ("agreements",)
        _put(values, places[name], word.split(os.pathsep) if is_list else word)
    try:
        Configuration.model_validate(values)
    except ValidationError as error:
        names = {location: name for name, location in places.items()}
        faults = [
            f"{names.get(details['loc'], ' and '.join(sorted(words)))}: {_said(details)}"
            for details in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("\n".join(faults)) from None
    return {
        places[name]: (_placed(places[name], _get(values, places[name]), folder), name)
        for name in words
    }


def _said(details: Any) -> str:
    error = details.get("ctx", {}).get("error")
    return str(error) if error else str(details["msg"]).replace("Input should", "it should")


def _placed(location: Location, value: Any, folder: Path) -> Any:
    """Paths are relative to the file that names them."""
    if location in _PATHS:
        return folder / Path(str(value)).expanduser()
    if location == ("agreements",):
        return [str(folder / Path(pattern).expanduser()) for pattern in value]
    return value


def _without_other_key(merged: _Layer, layer: _Layer) -> None:
    """A layer that names a keystore takes back the key file of the layers below it, and the other way round."""
    for one, other in (("keystore", "file"), ("file", "keystore")):
        if ("key", one) in layer:
            merged[("key", other)] = (None, layer[("key", one)][1])


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {*VARIABLES, CONFIG_VARIABLE}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | OF_SCRIPTS:
            yield f"the environment variable {name} means nothing; {nearest(name, known)}"


def _get(values: Any, location: Iterable[str | int]) -> Any:
    for part in location:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _put(values: dict[str, Any], location: Location, value: Any) -> None:
    *above, last = (str(part) for part in location)
    for part in above:
        values = values.setdefault(part, {})
    values[last] = value


def _xdg(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    base = environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "makegood"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
