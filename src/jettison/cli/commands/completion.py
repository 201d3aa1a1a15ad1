"""``jettison completion``."""

from __future__ import annotations

import click

from jettison.cli.commands._common import declare
from jettison.errors import JettisonError

SHELLS = ("bash", "zsh", "fish")


@declare("completion", "Print the completion script for a shell")
@click.argument("shell", metavar="bash|zsh|fish")
def command(shell: str) -> int:
    """Print a script that completes jettison's commands and flags in a shell.

    For bash: source <(jettison completion bash)
    """
    from click.shell_completion import get_completion_class

    from jettison.cli import values
    from jettison.cli.main import COMPLETE_VARIABLE, cli
    from jettison.cli.output import write_line

    values.one_of("the shell", shell, SHELLS)
    kind = get_completion_class(shell)
    assert kind is not None
    try:
        write_line(kind(cli, {}, "jettison", COMPLETE_VARIABLE).source())
    except RuntimeError as error:  # click looks for the shell, and at its version
        raise JettisonError(str(error)) from None
    return 0
