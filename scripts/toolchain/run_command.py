"""What `brownie run` is told, checked before it begins: brownie itself answers a slip with a trace."""

from __future__ import annotations

import importlib
import inspect
import re
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayer.cli import UsageProblem
from relayer.errors import ConfigurationError
from relayer.names import nearest
from scripts.deploy import one_message
from scripts.toolchain import brownie_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def check(given: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]) -> None:
    """Ends the process with one message if the command cannot be carried out.

    :param given: The command line, as brownie's docopt reads it.
    :param networks: brownie's networks, by id.
    """
    with one_message():
        if given["--network"]:
            _check_network(given["--network"], networks)
        _check_script(given["<filename>"], given["<function>"] or "main", given["<arg>"])


def _check_network(name: str, networks: Mapping[str, Mapping[str, Any]]) -> None:
    if name not in networks:
        raise UsageProblem(f'there is no network "{name}"; {nearest(name, networks)}')
    for variable in re.findall(r"\$(\w+)", str(networks[name]["host"])):
        if not environ.get(variable):
            raise ConfigurationError(
                f"{variable} is not set, and network {name} is reached through it",
                hint=f"export {variable}=https://...",
            )


def _check_script(name: str, function: str, arguments: Sequence[str]) -> None:
    path = Path(name)
    if path.is_absolute():
        return  # not one of ours
    path = (path if path.parts[:1] == ("scripts",) else "scripts" / path).with_suffix(".py")
    if not (brownie_home.ROOT / path).is_file():
        there = (
            one.relative_to(brownie_home.ROOT) for one in brownie_home.ROOT.glob("scripts/*.py")
        )
        ours = [one.name for one in there if "main" in _commands(one)]
        raise UsageProblem(f"there is no script {path}; {nearest(path.name, ours)}")
    commands = _commands(path)
    if function not in commands:
        raise UsageProblem(f'{path} does not do "{function}"; {nearest(function, commands)}')
    signature = inspect.signature(commands[function])
    try:
        signature.bind(*arguments)
    except TypeError:
        wanted = " ".join(signature.parameters).upper() or "nothing"
        raise UsageProblem(
            f"{path} {function} takes {wanted}; found {' '.join(arguments) or 'nothing'}",
            hint="the beginning of the script and scripts/README.md say more",
        ) from None


def _commands(path: Path) -> dict[str, Callable[..., None]]:
    """The functions of a script that a command line can call: they take texts and return nothing."""
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and all(
            said == ("None" if of == "return" else "str")
            for of, said in function.__annotations__.items()
        )
    }
