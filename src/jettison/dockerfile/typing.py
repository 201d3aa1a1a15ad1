"""The second level of the front end: nodes of words become typed instructions.

Arguments are counted and flags checked here; nothing is expanded (BuildKit,
frontend/dockerfile/instructions/parse.go).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypedDict

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.ast import Node, Word
from jettison.dockerfile.durations import parse_duration
from jettison.dockerfile.flags import Flags, Kind
from jettison.dockerfile.heredoc import appended, opener
from jettison.dockerfile.mounts import parse_mount
from jettison.dockerfile.suggest import did_you_mean
from jettison.model.span import Span

_STAGE_NAME = re.compile(r"^[a-z][a-z0-9-_.]*$")
_COMMON_COPY_FLAGS = {
    "chown": Kind.TEXT,
    "chmod": Kind.TEXT,
    "link": Kind.BOOL,
    "exclude": Kind.TEXTS,
}
_COPY_FLAGS = {**_COMMON_COPY_FLAGS, "from": Kind.TEXT, "parents": Kind.BOOL}
_ADD_FLAGS = {
    **_COMMON_COPY_FLAGS,
    "keep-git-dir": Kind.BOOL,
    "checksum": Kind.TEXT,
    "unpack": Kind.BOOL,
}
_RUN_FLAGS = {"mount": Kind.TEXTS, "network": Kind.TEXT, "security": Kind.TEXT}
_HEALTH_FLAGS = dict.fromkeys(
    ("interval", "timeout", "start-period", "start-interval", "retries"), Kind.TEXT
)
_NOT_TRIGGERS = ("FROM", "MAINTAINER")


class _Common(TypedDict):
    span: Span
    text: str
    node: Node


def type_instruction(node: Node) -> ins.Instruction:
    """The typed instruction of a node; raises DockerfileError at the word that is wrong."""
    return _maker_of(node)(node)


def _maker_of(node: Node) -> Callable[[Node], ins.Instruction]:
    maker = _MAKERS.get(node.name)
    if maker is None:
        suggestion = did_you_mean(node.name, _MAKERS)
        raise node.error(f"unknown instruction: {node.keyword.value}{suggestion}")
    return maker


def _common(node: Node) -> _Common:
    return {"span": node.span, "text": node.text.strip(), "node": node}


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(word.value for word in node.words)


def _the_one(node: Node) -> str:
    if len(node.words) != 1 or not node.words[0].value:
        raise node.error(f"{node.name} requires exactly one argument")
    return node.words[0].value


def _some(node: Node) -> tuple[Word, ...]:
    if not node.words:
        raise node.error(f"{node.name} requires at least one argument")
    return node.words


def _from(node: Node) -> ins.From:
    flags = Flags(node, {"platform": Kind.TEXT})
    words = _texts(node)
    name = raw_name = None
    if len(words) == 3 and words[1].lower() == "as":
        raw_name = words[2]
        name = _stage_name(node, node.words[2])
    elif len(words) != 1:
        hint = "FROM image, or FROM image AS name"
        raise node.error("FROM requires either one or three arguments", None, hint)
    return ins.From(
        **_common(node),
        image=words[0],
        name=name,
        raw_name=raw_name,
        platform=flags.text("platform"),
    )


def _stage_name(node: Node, word: Word) -> str:
    name = word.value.lower()
    if not _STAGE_NAME.match(name):
        raise node.error(
            f'invalid name for build stage: "{word.value}", name can\'t start with a number or '
            "contain symbols",
            word,
            "letters, digits, and . _ - after the first letter",
        )
    return name


def _arg(node: Node) -> ins.Arg:
    Flags(node)
    values = []
    for word in _some(node):
        key, equals, value = word.value.partition("=")
        if not key:
            raise node.error("ARG names can not be blank", word)
        values.append(ins.ArgValue(key, value if equals else None))
    return ins.Arg(**_common(node), values=tuple(values))


def _env(node: Node) -> ins.Env:
    return ins.Env(**_common(node), values=_pairs(node))


def _label(node: Node) -> ins.Label:
    return ins.Label(**_common(node), values=_pairs(node))


def _pairs(node: Node) -> tuple[ins.KeyValue, ...]:
    Flags(node)
    words = _some(node)
    if node.legacy:
        return (ins.KeyValue(words[0].value, words[1].value, legacy=True),)
    pairs = []
    for word in words:
        key, _, value = word.value.partition("=")
        if not key:
            raise node.error(f"{node.name} names can not be blank", word)
        pairs.append(ins.KeyValue(key, value))
    return tuple(pairs)


def _command(node: Node) -> ins.ShellWords:
    """The command of RUN, CMD or ENTRYPOINT; without words, an empty text for the shell."""
    if node.json:
        return ins.ShellWords(words=_texts(node), shell=False)
    text = node.words[0].value if node.words else ""
    return ins.ShellWords(words=(text,), shell=True, heredocs=node.heredocs)


def _run(node: Node) -> ins.Run:
    flags = Flags(node, _RUN_FLAGS)
    mounts = flags.texts("mount")
    return ins.Run(
        **_common(node),
        command=_command(node),
        mounts=tuple(parse_mount(w.value, span=node.joined.span(w.offset)) for w in mounts),
        mount_texts=tuple(word.value for word in mounts),
        network=flags.text("network"),
        security=flags.text("security"),
    )


def _copy(node: Node) -> ins.Copy:
    flags = Flags(node, _COPY_FLAGS)
    return ins.Copy(
        **_common(node),
        add=False,
        sources=_sources(node),
        dest=node.words[-1].value,
        heredocs=_source_heredocs(node),
        from_=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.boolean("link")),
        parents=bool(flags.boolean("parents")),
        exclude=tuple(word.value for word in flags.texts("exclude")),
    )


def _add(node: Node) -> ins.Copy:
    flags = Flags(node, _ADD_FLAGS)
    return ins.Copy(
        **_common(node),
        add=True,
        sources=_sources(node),
        dest=node.words[-1].value,
        heredocs=_source_heredocs(node),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.boolean("link")),
        exclude=tuple(word.value for word in flags.texts("exclude")),
        keep_git_dir=flags.boolean("keep-git-dir"),
        checksum=flags.text("checksum"),
        unpack=flags.boolean("unpack"),
    )


def _sources(node: Node) -> tuple[str, ...]:
    words = _texts(node)
    if len(words) < 2:
        raise node.error(
            f"{node.name} requires at least two arguments, but only {len(words)} provided. "
            "Destination could not be determined"
        )
    return words[:-1]


def _source_heredocs(node: Node) -> dict[int, ins.Heredoc]:
    """The here-documents among the sources, by position; of one name, the last body counts."""
    if not node.heredocs:
        return {}
    *sources, dest = _texts(node)
    if opener(dest) is not None:
        raise node.error(f"{node.name} cannot accept a heredoc as a destination", node.words[-1])
    bodies = {heredoc.name: heredoc for heredoc in node.heredocs}
    found = {position: opener(word) for position, word in enumerate(sources)}
    return {
        position: bodies[each.name]
        for position, each in found.items()
        if each is not None and each.name in bodies
    }


def _workdir(node: Node) -> ins.Workdir:
    Flags(node)
    return ins.Workdir(**_common(node), path=_the_one(node))


def _user(node: Node) -> ins.User:
    Flags(node)
    return ins.User(**_common(node), user=_the_one(node))


def _stop_signal(node: Node) -> ins.StopSignal:
    Flags(node)
    return ins.StopSignal(**_common(node), signal=_the_one(node))


def _maintainer(node: Node) -> ins.Maintainer:
    Flags(node)
    return ins.Maintainer(**_common(node), name=_the_one(node))


def _expose(node: Node) -> ins.Expose:
    Flags(node)
    return ins.Expose(**_common(node), ports=tuple(sorted(w.value for w in _some(node))))


def _volume(node: Node) -> ins.Volume:
    Flags(node)
    for word in _some(node):
        if not word.value.strip():
            raise node.error("VOLUME specified can not be an empty string", word)
    return ins.Volume(**_common(node), paths=_texts(node))


def _shell(node: Node) -> ins.Shell:
    Flags(node)
    if not node.json:
        hint = 'such as SHELL ["/bin/bash", "-c"]'
        raise node.error("SHELL requires the arguments to be in JSON form", None, hint)
    return ins.Shell(**_common(node), words=tuple(word.value for word in _some(node)))


def _cmd(node: Node) -> ins.Cmd:
    Flags(node)
    return ins.Cmd(**_common(node), command=_command(node))


def _entrypoint(node: Node) -> ins.Entrypoint:
    Flags(node)
    return ins.Entrypoint(**_common(node), command=_command(node))


def _healthcheck(node: Node) -> ins.Healthcheck:
    kind, *rest = _some(node)
    words = tuple(word.value for word in rest if word.value)
    if kind.value.upper() == "NONE":
        Flags(node)
        if words:
            raise node.error("HEALTHCHECK NONE takes no arguments", rest[0])
        return ins.Healthcheck(**_common(node), test=("NONE",))
    flags = Flags(node, _HEALTH_FLAGS)
    if kind.value.upper() != "CMD":
        raise node.error(f"unknown type {kind.value!r} in HEALTHCHECK (try CMD)", kind)
    if not words:
        raise node.error("missing command after HEALTHCHECK CMD", kind)
    return ins.Healthcheck(
        **_common(node),
        test=("CMD", *words) if node.json else ("CMD-SHELL", words[0]),
        interval=_duration(node, flags, "interval"),
        timeout=_duration(node, flags, "timeout"),
        start_period=_duration(node, flags, "start-period"),
        start_interval=_duration(node, flags, "start-interval"),
        retries=_retries(node, flags),
    )


def _duration(node: Node, flags: Flags, name: str) -> int:
    word = flags.word(name)
    if word is None:
        return 0
    try:
        nanoseconds = parse_duration(word.value)
    except ValueError as error:
        raise node.error(str(error), word, "such as 30s or 1m30s") from None
    if nanoseconds and nanoseconds < 1_000_000:
        raise node.error(f"interval {name!r} cannot be less than 1ms", word)
    return nanoseconds


def _retries(node: Node, flags: Flags) -> int:
    word = flags.word("retries")
    if word is None:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", word.value):
        raise node.error(f"--retries takes a number, not {word.value!r}", word)
    if int(word.value) < 0:
        raise node.error(f"--retries cannot be negative ({word.value})", word)
    return int(word.value)


def _onbuild(node: Node) -> ins.Onbuild:
    Flags(node)
    child = node.child
    if child is None:
        raise node.error("ONBUILD requires at least one argument")
    if child.name == "ONBUILD":
        raise node.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", child.keyword)
    if child.name in _NOT_TRIGGERS:
        raise node.error(f"{child.name} isn't allowed as an ONBUILD trigger", child.keyword)
    _maker_of(child)
    text = node.joined.text[child.keyword.offset :].strip()
    return ins.Onbuild(**_common(node), expression=text + appended(node.heredocs))


_MAKERS: dict[str, Callable[[Node], ins.Instruction]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
