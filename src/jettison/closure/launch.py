"""What the words a container is started with name: programs, scripts, files, directories."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from jettison.closure.model import Launch, Need
from jettison.closure.world import World
from jettison.fs.tree import clean
from jettison.model.oci import RunConfig

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "busybox"})
_WRAPPERS = {
    "env": 0, "tini": 0, "dumb-init": 0, "catatonit": 0, "nice": 0, "nohup": 0,
    "setsid": 0, "gosu": 1, "su-exec": 1, "chroot": 1, "setpriv": 0, "stdbuf": 0, "time": 0,
}  # fmt: skip
"""Programs that start the rest of their words, and how many words of their own stand before."""
_BUILTINS = frozenset({"exec", "command", "builtin", "eval"})
_BREAKS = frozenset({";", "&", "&&", "|", "||", "(", ")", "then", "do", "else", "{", "!", "if"})
_SYSTEM = frozenset(
    "/ /bin /boot /dev /etc /home /lib /lib64 /opt /proc /root /run /sbin /srv /sys /tmp /usr "
    "/usr/bin /usr/lib /usr/local /usr/share /var /var/lib /var/log /var/run /var/tmp".split()
)


def launch_of(config: RunConfig, argv: Sequence[str] | None = None) -> Launch:
    """What an image's config starts, health check included; ``argv`` in its place if given."""
    env = [tuple(variable.split("=", 1)) for variable in config.Env or () if "=" in variable]
    words = argv if argv is not None else (*(config.Entrypoint or ()), *(config.Cmd or ()))
    also = []
    test = config.Healthcheck.Test if config.Healthcheck is not None else ()
    if test[:1] == ("CMD",):
        also.append(("the health check", test[1:]))
    elif test[:1] == ("CMD-SHELL",):
        shell = config.Shell or ("/bin/sh", "-c")
        also.append(("the health check", (*shell, *test[1:])))
    return Launch(
        argv=tuple(words),
        also=tuple(also),
        env=tuple((name, value) for name, value in env),
        workdir=config.WorkingDir or "/",
    )


def seeds(world: World) -> Iterator[Need]:
    """What the launch names itself."""
    yield from of_words(world, world.launch.argv, "the launch")
    for what, words in world.launch.also:
        yield from of_words(world, words, what)
    for library in world.launch.variable("LD_PRELOAD").replace(":", " ").split():
        if library.startswith("/"):
            yield Need(path=library, reason="LD_PRELOAD", weak=True)


def of_words(world: World, words: Sequence[str], what: str) -> Iterator[Need]:
    """A command line: its program, what that starts, and the files its words name."""
    if not words:
        return
    program = world.command(words[0])
    name = words[0].rpartition("/")[2]
    if program is None:
        place = words[0] if "/" in words[0] else f"/usr/bin/{words[0]}"
        path = place if place.startswith("/") else f"{world.launch.workdir}/{place}"
        yield Need(path=clean(path), reason=f"{what} starts {words[0]}, found nowhere in PATH")
    else:
        yield Need(path=program, reason=f"{what} starts it")
    yield from _arguments(world, words, what)
    if name in SHELLS and "-c" in words[1:-1]:
        yield from of_shell(world, words[words.index("-c") + 1], f"{what}'s shell")
    elif name in _WRAPPERS:
        yield from of_words(world, _wrapped(words, _WRAPPERS[name]), f"{what}'s {name}")


def of_shell(world: World, text: str, what: str) -> Iterator[Need]:
    """The commands of a shell script that stand where a command can, so far as there are such.

    Words that only running it would tell (variables, substitutions) are passed over.
    """
    for words in shell_commands(text):
        while words and words[0] in _BUILTINS:
            words = list(_wrapped(words, 0))
        if words and world.command(words[0]) is not None:
            yield from of_words(world, words, what)


def shell_commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a script, assignments before them left out."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters = "#"
        words: list[str] = []
        try:
            tokens = list(lexer)
        except ValueError:
            continue  # a quotation over several lines, or none of sh's
        for token in (*tokens, ";"):
            if token in _BREAKS:
                if words:
                    yield words
                words = []
            elif words or not _is_assignment(token):
                words.append(token)


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _wrapped(words: Sequence[str], own: int) -> Sequence[str]:
    rest = list(words[1:])
    while rest and (rest[0].startswith("-") or _is_assignment(rest[0])):
        rest.pop(0)
    return rest[own:]


def _arguments(world: World, words: Sequence[str], what: str) -> Iterator[Need]:
    """Words, and values of ``--option=value``, that are paths of something in the tree."""
    for word in words[1:]:
        for text in dict.fromkeys((word, word.partition("=")[2])):
            if not text or text.startswith("-") or "\n" in text or "\0" in text:
                continue
            path = clean(text if text.startswith("/") else f"{world.launch.workdir}/{text}")
            if path in _SYSTEM or ("/" not in text and "." not in text):
                continue
            if world.is_file(path):
                yield Need(path=path, reason=f"an argument of {what}: {word}")
            elif world.is_dir(path):
                reason = f"below a directory that {what} names: {word}"
                yield Need(path=path, reason=reason, below=True, weak=True)
