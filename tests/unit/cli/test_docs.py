"""docs/commands is in step with ``--help``."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from jettison.cli.commands.build_flags import IDLE_SWITCHES
from jettison.cli.commands.build_flags import REFUSED as BUILD_REFUSED
from jettison.cli.commands.build_flags import REFUSED_SWITCHES as BUILD_REFUSED_SWITCHES
from jettison.cli.commands.run_flags import REFUSED as RUN_REFUSED
from jettison.cli.commands.run_flags import REFUSED_SWITCHES as RUN_REFUSED_SWITCHES
from jettison.cli.main import COMMANDS, GROUPS, cli

DOCS = Path(__file__).parents[3] / "docs" / "commands"
CONTEXT = click.Context(cli, info_name="jettison")


def command(name: str) -> click.Command:
    found = cli.get_command(CONTEXT, name)
    assert found is not None
    return found


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def documented_flags(text: str) -> list[str]:
    """First cells of a table's rows that are flags: ``-t, --tag NAME[:TAG]``."""
    cells = re.findall(r"^\| (`-.*?) \| ", text, re.M)
    return [cell.replace("`", "") for cell in cells]


def real_flags(name: str) -> list[str]:
    """As ``--help`` shows them; those of a command's own commands too, each once."""
    found = command(name)
    if isinstance(found, click.Group):
        return list(dict.fromkeys(f for one in found.commands.values() for f in flags_of(one)))
    return flags_of(found)


def flags_of(found: click.Command) -> list[str]:
    context = click.Context(found, info_name=found.name, parent=CONTEXT, **found.context_settings)
    return [
        record[0]
        for option in found.get_params(context)
        if isinstance(option, click.Option) and (record := option.get_help_record(context))
    ]


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert {p.stem for p in DOCS.glob("*.md")} - {"README"} == set(COMMANDS)
    assert sorted(name for _, names in GROUPS for name in names) == sorted(COMMANDS)


def test_the_index_lists_the_commands_with_their_summaries() -> None:
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\.md\) \| (.+?) \|$", page("README"), re.M)
    assert {name: summary for name, _, summary in rows} == COMMANDS
    assert all(name == file for name, file, _ in rows)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_the_commands_summary_usage_and_flags(name: str) -> None:
    found, text = command(name), page(name)
    context = click.Context(found, info_name=name, parent=CONTEXT, **found.context_settings)
    usage = " ".join(["jettison", name, *found.collect_usage_pieces(context)])
    assert found.short_help == COMMANDS[name]
    assert text.startswith(f"# jettison {name}\n\n{COMMANDS[name]}.\n\n    {usage}\n")
    assert documented_flags(text.partition("Refused")[0]) == real_flags(name)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("build", [*BUILD_REFUSED, *BUILD_REFUSED_SWITCHES, IDLE_SWITCHES]),
        ("run", [*RUN_REFUSED, *RUN_REFUSED_SWITCHES, ("--rm",)]),
    ],
)
def test_a_page_names_every_flag_that_is_refused_or_needs_nothing(
    name: str, flags: list[tuple[str, ...]]
) -> None:
    text = page(name)
    assert [f for names in flags for f in names if f"`{f}`" not in text] == []
