"""``jettison version``."""

from __future__ import annotations

import os
import sys

from jettison.cli.commands._common import declare, format_flag


@declare("version", "Print the version")
@format_flag
def command(format: str) -> int:
    """Print the versions of jettison, Python and the system."""
    from jettison import __version__
    from jettison.cli.output import write, write_json
    from jettison.cli.values import host_platform

    system = os.uname()
    facts = {
        "Version": __version__,
        "Python": sys.version.split()[0],
        "Platform": str(host_platform()),
        "Kernel": f"{system.sysname} {system.release}",
    }
    if format == "json":
        write_json(facts)
        return 0
    write(f"jettison {facts.pop('Version')}\n")
    for name, value in facts.items():
        write(f"  {name + ':':<10}{value}\n")
    return 0
