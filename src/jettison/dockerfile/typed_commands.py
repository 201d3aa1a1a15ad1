"""RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK."""

from __future__ import annotations

from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.durations import parse_duration
from jettison.dockerfile.flags import Flags, Kind
from jettison.dockerfile.instructions import (
    Cmd,
    Entrypoint,
    Healthcheck,
    Mount,
    Run,
    Shell,
    ShellWords,
)
from jettison.dockerfile.mounts import parse_mount
from jettison.dockerfile.text import expression, quoted
from jettison.errors import DockerfileError

_RUN = {
    "mount": Kind.TEXTS,
    "network": Kind.TEXT,
    "security": Kind.TEXT,
    "device": Kind.TEXTS,
}
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")
_DURATIONS = ("interval", "timeout", "start-period", "start-interval")
_HEALTH = {**dict.fromkeys(_DURATIONS, Kind.TEXT), "retries": Kind.TEXT}
_MILLISECOND = 1_000_000


def run(node: Node) -> Run:
    """Type a RUN. Its mounts are typed as far as that goes without expansion."""
    flags = Flags(node, _RUN)
    for device in flags.texts("device"):
        raise node.error(
            "RUN --device is not supported",
            device,
            "devices are a feature of BuildKit's labs channel",
        )
    mounts = flags.texts("mount")
    return Run(
        **node.written(),
        command=_command(node),
        mounts=tuple(_mount(node, flag) for flag in mounts),
        mount_texts=tuple(flag.value for flag in mounts),
        network=_choice(node, flags.word("network"), _NETWORKS, "invalid network mode {}"),
        security=_choice(node, flags.word("security"), _SECURITIES, "security {} is not valid"),
    )


def _mount(node: Node, flag: Word) -> Mount:
    try:
        return parse_mount(flag.value)
    except DockerfileError as error:
        raise node.error(error.message, flag, error.hint) from None


def _choice(node: Node, word: Word | None, options: tuple[str, ...], message: str) -> str | None:
    if word is None:
        return None
    if word.value not in options:
        hint = f"one of {', '.join(options)}"
        raise node.error(message.format(quoted(word.value)), word, hint)
    return word.value


def cmd(node: Node) -> Cmd:
    """Type a CMD."""
    Flags(node)
    return Cmd(**node.written(), command=_command(node))


def entrypoint(node: Node) -> Entrypoint:
    """Type an ENTRYPOINT."""
    Flags(node)
    return Entrypoint(**node.written(), command=_command(node))


def _command(node: Node) -> ShellWords:
    """Exec form, or the text for the shell (empty if there is none)."""
    words = tuple(word.value for word in node.words)
    if node.json:
        return ShellWords(words=words, shell=False)
    return ShellWords(words=words or ("",), shell=True, heredocs=node.heredocs)


def shell(node: Node) -> Shell:
    """Type a SHELL, which has an exec form only."""
    Flags(node)
    if not node.words:
        raise node.error("SHELL requires at least one argument")
    if not node.json:
        raise node.error(
            "SHELL requires the arguments to be in JSON form",
            node.words[0],
            'write SHELL ["/bin/sh", "-c"]',
        )
    words = tuple(word.value for word in node.words)
    return Shell(**node.written(), words=words)


def healthcheck(node: Node) -> Healthcheck:
    """Type a HEALTHCHECK; with NONE its options mean nothing."""
    if not node.words:
        raise node.error("HEALTHCHECK requires at least one argument")
    flags = Flags(node, _HEALTH)
    interval, timeout, start_period, start_interval = (
        _duration(node, name, flags.word(name)) for name in _DURATIONS
    )
    retries = _retries(node, flags.word("retries"))
    test = _test(node)
    if test == ("NONE",):
        return Healthcheck(**node.written(), test=test)
    return Healthcheck(
        **node.written(),
        test=test,
        interval=interval,
        timeout=timeout,
        start_period=start_period,
        start_interval=start_interval,
        retries=retries,
    )


def _test(node: Node) -> tuple[str, ...]:
    kind, *command = node.words
    match kind.value.upper():
        case "NONE":
            if command:
                raise node.error("HEALTHCHECK NONE takes no arguments", command[0])
            return ("NONE",)
        case "CMD":
            if not command:
                raise node.error("Missing command after HEALTHCHECK CMD", kind)
            words = tuple(word.value for word in command)
            return ("CMD" if node.json else "CMD-SHELL", *words)
        case other:
            message = f"Unknown type {quoted(other)} in HEALTHCHECK (try CMD)"
            raise node.error(message, kind, "write HEALTHCHECK CMD command, or HEALTHCHECK NONE")


def _duration(node: Node, name: str, word: Word | None) -> int:
    if word is None or not word.value:
        return 0
    try:
        duration = parse_duration(word.value)
    except ValueError as error:
        hint = "a duration is numbers with units: 30s, 1m30s, 500ms"
        raise node.error(f"{error} (--{name})", word, hint) from None
    if duration and duration < _MILLISECOND:
        raise node.error(f"Interval {quoted(name)} cannot be less than 1ms", word)
    return duration


def _retries(node: Node, word: Word | None) -> int:
    if word is None or not word.value:
        return 0
    if not expression(r"[+-]?[0-9]{1,18}").fullmatch(word.value) or int(word.value) >= 1 << 31:
        raise node.error(f"invalid value for --retries: {quoted(word.value)}", word)
    if int(word.value) < 0:
        raise node.error(f"--retries cannot be negative ({int(word.value)})", word)
    return int(word.value)
