"""Every command the documentation shows is run, as a reader would, with its output compared."""

from __future__ import annotations

import re

import pytest

from tests.integration.docs.blocks import PAGES, ROOT, Command, File, shown, shown_in
from tests.integration.docs.conftest import Place
from tests.integration.support.server import Registry

REWRITES = [
    (r"registry\.example(\.com)?\b", "{registry}", "a registry on loopback"),
    (r"^make (.+)$", r"make -n -C {root} \1", "only says what it would do"),
    (r"/var/lib/jettison\b", "$JETTISON_ROOT", "the store of the test"),
    (r"^\.venv/bin/jettison\b", "jettison", "the program under test"),
    (r"^docker load -i (\S+)$", r"skopeo inspect docker-archive:\1", "no daemon is needed"),
    (r"^(jettison run .*-it .*)$", r'echo exit | script -qec "\1" /dev/null', "a terminal"),
    (r"^source <\((jettison completion zsh)\)$", r"\1", "bash is no zsh"),
    (r"^(jettison completion fish) \| source$", r"\1", "bash is no fish"),
]
"""Commands that cannot run as they stand: pattern, what is run instead, why."""

PROGRAMS = "echo git jettison make mv rm script scripts/debian-base skopeo source tar"
"""The programs that may run here."""

WITH_COMMANDS = [page for page in PAGES if any(isinstance(x, Command) for x in shown(page))]


def rewritten(command: str) -> str:
    for pattern, instead, _ in REWRITES:
        command = re.sub(pattern, instead, command)
    return command


def programs(command: str) -> list[str]:
    """The first word of each part of a command line, variables set for it aside."""
    parts = re.split(r"\|\|?|&&|;|\n(?!\s)|<\(", command.replace("\\\n", " "))
    return [re.sub(r"^(\w+=\S*\s+)+", "", part.strip()).split()[0] for part in parts]


PAGE = """\
# Title

    jettison title [FLAGS]

    jettison indented
    # a remark

```dockerfile file=D
FROM scratch
```

```console
$ jettison build \\
    -f D .
… DONE

done
$ jettison images
```

<!-- not run: it burns -->
```console
$ halt
```

<!-- not run: -->
```console
$ needs a reason
```
"""


def test_what_a_page_shows() -> None:
    fenced: list[File | Command] = [
        File("D", "FROM scratch\n"),
        Command("jettison build \\\n    -f D .", ("… DONE", "done")),
        Command("jettison images"),
        Command("needs a reason"),
    ]
    assert shown_in(PAGE, indented=False) == fenced
    # "    -f D ." is indented, but in a block
    assert shown_in(PAGE, indented=True) == [*fenced, Command("jettison indented")]


def test_programs_of_a_command_line() -> None:
    assert programs("A=1 git archive HEAD | jettison build \\\n  -t x -") == ["git", "jettison"]
    assert programs("source <(rm -rf x)") == ["source", "rm"]


@pytest.mark.root
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page(page: str, place: Place, registry: Registry) -> None:
    for item in shown(page):
        if isinstance(item, File):
            (place.directory / item.name).parent.mkdir(parents=True, exist_ok=True)
            (place.directory / item.name).write_text(item.content)
            continue
        command = rewritten(item.text).replace("{registry}", registry.host)
        command = command.replace("{root}", str(ROOT))
        unknown = set(programs(command)) - set(PROGRAMS.split())
        assert not unknown, f"{page}: {item.text}: this test does not know how to run {unknown}"
        done = place.run(command)
        # Status 1 of lint says that there are findings: that depends on the stand-in project.
        fine = (0, 1) if command.startswith("jettison lint") else (0,)
        assert done.returncode in fine, f"{page}: $ {item.text}\n{done.stdout}"
        for line in item.output:
            pattern = r".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(rf"^{pattern}$", done.stdout, re.M), (
                f"{page}: $ {item.text}\nshows {line!r} but prints\n{done.stdout}"
            )


@pytest.mark.parametrize(("pattern", "why"), [(p, why) for p, _, why in REWRITES])
def test_every_rewrite_is_needed(pattern: str, why: str) -> None:
    commands = [x.text for page in PAGES for x in shown(page) if isinstance(x, Command)]
    assert any(re.search(pattern, text) for text in commands), why
