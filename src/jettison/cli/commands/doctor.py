"""``jettison doctor``."""

from __future__ import annotations

import os

from jettison.cli.commands._common import declare, format_flag


@declare("doctor", "Say what this host can do, and how to mend what it cannot")
@format_flag
def command(format: str) -> int:
    """Check what building and running need of this host; the status is 1 if something is missing.

    For everything that is missing the command that mends it is shown.
    """
    import sys

    from jettison.app.doctor import doctor
    from jettison.cli.output import write, write_json
    from jettison.cli.terminal import paint, wants_color
    from jettison.cli.text import plural

    checks = doctor(environ=os.environ)
    bad = sum(not check.ok for check in checks)
    if format == "json":
        write_json(
            [{"Name": c.name, "OK": c.ok, "Detail": c.detail, "Mend": c.mend} for c in checks]
        )
        return min(bad, 1)
    color = wants_color(sys.stdout, os.environ)
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        mark = paint("ok  ", "green", color) if check.ok else paint("FAIL", "bold red", color)
        write(f"{mark}  {check.name.ljust(width)}  {check.detail}".rstrip() + "\n")
        if check.mend:
            word = "to have it:" if check.ok else "mend:"
            write("      " + paint(word, "cyan", color) + f" {check.mend}\n")
    if bad:
        write(f"\n{plural(bad, 'check')} failed\n")
    return min(bad, 1)
