"""Groups that know their commands by name and import one only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from relayer.names import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


class Lazy(NamedTuple):
    """Where a command is (``module:attribute``), and its line in the help of the group."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group of commands that are imported when they are called.

    :param own: Commands that exist already.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        commands_at: Mapping[str, Lazy],
        own: Mapping[str, click.Command] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(name, commands=dict(own or {}), **attributes)
        self._lazy = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._lazy[cmd_name].target} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            known = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f'there is no command "{args[0]}"; {known}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (
                name,
                self._lazy[name].help if name in self._lazy else _first_line(self.commands[name]),
            )
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_line(command: click.Command) -> str:
    return command.get_short_help_str(limit=80)
