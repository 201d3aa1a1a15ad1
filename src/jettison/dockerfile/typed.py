"""`Node` -> typed instruction.

The checks and their texts are those of BuildKit's ``frontend/dockerfile/instructions``.
"""

from __future__ import annotations

from collections.abc import Callable

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.flags import Flags, Kind
from jettison.dockerfile.heredoc import appended
from jettison.dockerfile.split import KEYWORDS
from jettison.dockerfile.suggest import did_you_mean
from jettison.dockerfile.text import SPACE, expression, quoted
from jettison.dockerfile.typed_commands import cmd, entrypoint, healthcheck, run, shell
from jettison.dockerfile.typed_copy import add, copy


def type_node(node: Node) -> ins.Instruction:
    """The instruction that a node says.

    Raises DockerfileError for an unknown instruction, and for flags and words that it does not
    take.
    """
    make = _TYPES.get(node.name)
    if make is None:
        raise _unknown(node)
    return make(node)


def _unknown(node: Node) -> Exception:
    suggestion = did_you_mean(node.keyword.value, KEYWORDS, ignore_case=True)
    hint = "to continue the instruction above, end its line with the escape character"
    return node.error(
        f"unknown instruction: {node.keyword.value}{suggestion}", hint=None if suggestion else hint
    )


def _from(node: Node) -> ins.From:
    words = node.words
    raw_name = None
    if len(words) == 3 and words[1].value.lower() == "as":
        raw_name = words[2].value
        if not expression(r"[a-z][a-z0-9_.-]*").fullmatch(raw_name.lower()):
            raise node.error(
                f"invalid name for build stage: {quoted(raw_name)}, "
                "name can't start with a number or contain symbols",
                words[2],
                "a name is a letter, then letters, digits, '-', '_' and '.'",
            )
    elif len(words) != 1:
        raise node.error(
            "FROM requires either one or three arguments",
            words[1] if len(words) > 1 else None,
            "write FROM image or FROM image AS name",
        )
    flags = Flags(node, {"platform": Kind.TEXT})
    return ins.From(
        **node.written(),
        image=words[0].value,
        name=None if raw_name is None else raw_name.lower(),
        platform=flags.text("platform"),
        raw_name=raw_name,
    )


def _arg(node: Node) -> ins.Arg:
    _at_least_one(node)  # flags are not looked at, as in BuildKit
    values: list[ins.ArgValue] = []
    for word in node.words:
        key, equals, value = word.value.partition("=")
        if not key:
            raise node.error("ARG names can not be blank", word)
        values.append(ins.ArgValue(key, value if equals else None))
    return ins.Arg(**node.written(), values=tuple(values))


def _env(node: Node) -> ins.Env:
    return ins.Env(**node.written(), values=_pairs(node))


def _label(node: Node) -> ins.Label:
    return ins.Label(**node.written(), values=_pairs(node))


def _pairs(node: Node) -> tuple[ins.KeyValue, ...]:
    Flags(node)
    _at_least_one(node)
    if node.legacy:
        name, value = node.words
        return (ins.KeyValue(name.value, value.value, legacy=True),)
    pairs: list[ins.KeyValue] = []
    for word in node.words:
        key, _, text = word.value.partition("=")
        if not key:
            raise node.error(f"{node.name} names can not be blank", word)
        pairs.append(ins.KeyValue(key, text))
    return tuple(pairs)


def _expose(node: Node) -> ins.Expose:
    _at_least_one(node)
    Flags(node)
    ports = tuple(sorted(word.value for word in node.words))
    return ins.Expose(**node.written(), ports=ports)


def _volume(node: Node) -> ins.Volume:
    _at_least_one(node)
    Flags(node)
    paths: list[str] = []
    for word in node.words:
        path = word.value.strip(SPACE)
        if not path:
            raise node.error("VOLUME specified can not be an empty string", word)
        paths.append(path)
    return ins.Volume(**node.written(), paths=tuple(paths))


def _workdir(node: Node) -> ins.Workdir:
    path = _only_one(node).value
    return ins.Workdir(**node.written(), path=path)


def _user(node: Node) -> ins.User:
    user = _only_one(node).value
    return ins.User(**node.written(), user=user)


def _stop_signal(node: Node) -> ins.StopSignal:
    signal = _only_one(node, flags=False).value
    return ins.StopSignal(**node.written(), signal=signal)


def _maintainer(node: Node) -> ins.Maintainer:
    name = _only_one(node).value
    return ins.Maintainer(**node.written(), name=name)


def _onbuild(node: Node) -> ins.Onbuild:
    child = node.child
    if child is None:
        raise node.error("ONBUILD requires at least one argument")
    Flags(node)
    if child.name == "ONBUILD":
        raise node.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", child.keyword)
    if child.name in ("MAINTAINER", "FROM"):
        raise node.error(f"{child.name} isn't allowed as an ONBUILD trigger", child.keyword)
    return ins.Onbuild(
        **node.written(),
        expression=child.untrimmed + appended(node.heredocs),
    )


def _at_least_one(node: Node) -> None:
    if not node.words:
        raise node.error(f"{node.name} requires at least one argument")


def _only_one(node: Node, *, flags: bool = True) -> Word:
    """The only word; without ``flags`` those are not looked at, as in BuildKit."""
    if len(node.words) != 1:
        raise node.error(f"{node.name} requires exactly one argument")
    if flags:
        Flags(node)
    return node.words[0]


_TYPES: dict[str, Callable[[Node], ins.Instruction]] = {
    "ADD": add,
    "ARG": _arg,
    "CMD": cmd,
    "COPY": copy,
    "ENTRYPOINT": entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": run,
    "SHELL": shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
