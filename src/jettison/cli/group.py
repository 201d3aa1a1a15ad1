"""Click's group and command with what the docker command line does differently.

The group imports a command's module only to run it; summaries for ``--help`` are in a table. The
command understands Go's flag syntax (`argv.normalise`).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

import click

from jettison.cli.argv import normalise
from jettison.errors import UsageError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _WithHelp(click.Command):
    """Click's --help, but its text is not looked up in the catalogues of all languages."""

    _help_option: click.Option | None = None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        names = self.get_help_option_names(ctx)
        if self._help_option is None and names:
            self._help_option = click.Option(
                names,
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_help,
                help="Show this message and exit.",
            )
        return self._help_option


class Command(_WithHelp):
    """A command whose flags may be written as Go writes them (``--pull=true``, ``-t=name``)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            args = normalise(args, self.get_params(ctx), ctx.allow_interspersed_args)
        except UsageError:
            if not ctx.resilient_parsing:  # completing a command line that is not finished yet
                raise
        return super().parse_args(ctx, args)


class CommandGroup(_WithHelp, click.Group):
    """A command with commands of its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing:
            _check_known(args[0], list(self.commands), ctx.command_path)
        return super().resolve_command(ctx, args)


class LazyGroup(_WithHelp, click.Group):
    """A group of commands; command ``x`` is the attribute ``command`` of module PACKAGE.x."""

    def __init__(
        self,
        *,
        summaries: Mapping[str, str],
        groups: Sequence[tuple[str, Sequence[str]]],
        aliases: Mapping[str, str],
        package: str,
        help: str,
    ) -> None:
        super().__init__(name="jettison", help=help, context_settings=CONTEXT)
        self.params.append(
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version and exit.",
            )
        )
        self._summaries = summaries
        self._groups = groups
        self._aliases = aliases
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self._aliases.get(cmd_name, cmd_name)
        if name not in self._summaries:
            return None
        command = importlib.import_module(f"{self._package}.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing:
            _check_known(args[0], [*self._summaries, *self._aliases], "jettison")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in self._groups:
            with formatter.section(title):
                formatter.write_dl([(name, self._summaries[name]) for name in names])


def _check_known(name: str, known: Sequence[str], program: str) -> None:
    if name not in known and not name.startswith("-"):
        from jettison.cli.suggest import did_you_mean

        hint = did_you_mean(name, known) or f"see '{program} --help'"
        raise UsageError(f"unknown command {name!r}", hint=hint)


def _print_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from jettison import __version__
        from jettison.cli.output import write_line

        write_line(f"jettison {__version__}")
        ctx.exit()
