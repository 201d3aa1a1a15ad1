"""Checks of a Dockerfile as a whole: they look at all stages, also those nobody needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from jettison.dockerfile.ast import Ast, Node
from jettison.dockerfile.instructions import Arg, Dockerfile, From, Instruction, Stage
from jettison.dockerfile.suggest import nearest
from jettison.errors import JettisonError
from jettison.model.platform import parse_platform
from jettison.model.reference import parse_reference
from jettison.plan.args import global_args
from jettison.plan.checks import Checks
from jettison.plan.words import Words

_RESERVED = ("context", "scratch")


def check_structure(dockerfile: Dockerfile, checks: Checks) -> None:
    """Casing, names, MAINTAINER, empty continuation lines, comments that describe."""
    for arg in dockerfile.global_args:
        _check_description("ARG", [item.key for item in arg.values], arg, checks)
    for instruction in _all(dockerfile):
        if instruction.node is not None:
            _check_continuation(instruction.node, checks)
            _check_node(instruction.node, checks.of(instruction.node))
        _check_descriptions(instruction, checks)
    _check_names(dockerfile.stages, checks)
    _check_keywords(dockerfile, checks)


def check_prefix(ast: Ast, instructions: Sequence[Instruction], checks: Checks) -> None:
    """What BuildKit has found by the time it refuses the node after ``instructions``, see
    `dockerfile.parse.parse_prefix`.
    """
    for node in ast.nodes:
        _check_continuation(node, checks)
    for node in ast.nodes[: len(instructions) + 1]:
        _check_node(node, checks.of(node))
    for instruction in instructions:
        _check_descriptions(instruction, checks)


def _check_node(node: Node, checks: Checks) -> None:
    """What shows before an instruction is understood."""
    if node.name == "MAINTAINER":
        checks.report(
            "MaintainerDeprecated",
            "Maintainer instruction is deprecated in favor of using label",
            node.span,
        )
    elif node.name == "FROM":
        _check_from_casing(node, checks)


def _check_descriptions(instruction: Instruction, checks: Checks) -> None:
    here = checks.of(instruction.node)
    if isinstance(instruction, Arg):
        _check_description("ARG", [i.key for i in instruction.values], instruction, here)
    elif isinstance(instruction, From) and instruction.name:
        _check_description("FROM", [instruction.name], instruction, here)


def _all(dockerfile: Dockerfile) -> Iterator[Instruction]:
    for stage in dockerfile.stages:
        yield stage.base
        yield from stage.instructions


def _keyword(instruction: Instruction) -> str:
    return instruction.node.keyword.value if instruction.node else ""


def _check_from_casing(node: Node, checks: Checks) -> None:
    words = [word.value for word in node.words]
    if len(words) == 3 and words[2] != words[2].lower():
        checks.report("StageNameCasing", f"Stage name '{words[2]}' should be lowercase", node.span)
    if len(words) < 3:
        return
    keyword, word = node.keyword.value, words[1]
    if (keyword.islower() and not word.islower()) or (keyword.isupper() and not word.isupper()):
        checks.report(
            "FromAsCasing", f"'{word}' and '{keyword}' keywords' casing do not match", node.span
        )


def _check_names(stages: tuple[Stage, ...], checks: Checks) -> None:
    seen = set()
    for stage in stages:
        name = stage.name
        if not name:
            continue
        if name in _RESERVED:
            checks.report(
                "ReservedStageName", f"Stage name {name!r} is a reserved word", stage.base.span
            )
        if name in seen:
            checks.report(
                "DuplicateStageName",
                f"Duplicate stage name {name!r}, stage names should be unique",
                stage.base.span,
            )
        seen.add(name)


def _check_keywords(dockerfile: Dockerfile, checks: Checks) -> None:
    """The keywords are all upper or all lower case, whichever the most are."""
    keywords = [(_keyword(i), i.span) for i in _all(dockerfile)]
    lower = sum(word.islower() for word, _ in keywords)
    upper = sum(word.isupper() for word, _ in keywords)
    wanted = "lowercase" if lower > upper else "uppercase"
    for word, span in keywords:
        if not (word.islower() if lower > upper else word.isupper()):
            checks.report(
                "ConsistentInstructionCasing",
                f"Command '{word}' should match the case of the command majority ({wanted})",
                span,
            )


def _check_continuation(node: Node, checks: Checks) -> None:
    if node.joined.empty:
        last = node.joined.last  # where BuildKit's parser notices
        span = replace(node.span, line=last, column=1, end_line=last)
        checks.report("NoEmptyContinuation", "Empty continuation line", span)


def _check_description(
    keyword: str, names: list[str], instruction: Instruction, checks: Checks
) -> None:
    comments = instruction.node.comments if instruction.node else ()
    if comments and comments[-1].text.split(" ")[0] not in names:
        name = names[0] if len(names) == 1 else "<arg_key>"
        checks.report(
            "InvalidDefinitionDescription",
            f"Comment for {keyword} should read `# {name} <description>`",
            instruction.span,
        )


def check_froms(
    dockerfile: Dockerfile,
    predefined: Mapping[str, str],
    args: Mapping[str, str],
    checks: Checks,
) -> None:
    """What the words of each FROM refer to: ``args``, which are the global arguments and the
    ``predefined`` ones.
    """
    _check_defaults(dockerfile, predefined, checks)
    declared = {item.key for arg in dockerfile.global_args for item in arg.values} | args.keys()
    for stage in dockerfile.stages:
        start, here = stage.base, checks.of(stage.base.node)
        for text in (start.image, start.platform):
            words = Words(dockerfile.escape, args, start.span)
            if text is None or words.word_or_none(text) is None:
                continue
            for name in words.undefined:
                if name not in declared:
                    near = nearest(name, declared)
                    hint = f" (did you mean {near}?)" if near else ""
                    here.report(
                        "UndefinedArgInFrom",
                        f"FROM argument '{name}' is not declared{hint}",
                        start.span,
                    )
        if start.platform is not None:
            _check_platform(start, Words(dockerfile.escape, args, start.span), args, here)


def _check_platform(start: From, words: Words, args: Mapping[str, str], checks: Checks) -> None:
    value = words.word_or_none(start.platform or "")
    if value is None:
        return
    if words.matched == ["TARGETPLATFORM"] and not words.undefined:
        if value == args.get("TARGETPLATFORM"):
            checks.report(
                "RedundantTargetPlatform",
                f"Setting platform to predefined {start.platform} in FROM is redundant as this is"
                " the default",
                start.span,
            )
    elif not words.matched and not words.undefined:
        try:
            platform = parse_platform(value)
        except JettisonError:
            return
        name = start.name or ""
        if platform.os not in name and platform.architecture not in name:
            checks.report(
                "FromPlatformFlagConstDisallowed",
                f"FROM --platform flag should not use constant value {value!r}",
                start.span,
            )


def _check_defaults(dockerfile: Dockerfile, predefined: Mapping[str, str], checks: Checks) -> None:
    """The base images are valid names also if no --build-arg is given."""
    try:
        defaults = global_args(dockerfile, predefined, {})
    except JettisonError:
        return  # whoever needs that default fails for it
    for stage in dockerfile.stages:
        start = stage.base
        name = Words(dockerfile.escape, defaults, start.span).word_or_none(start.image)
        if name is None:
            return
        try:
            parse_reference(name)
        except JettisonError:
            checks.report(
                "InvalidDefaultArgInFrom",
                f"Default value for ARG {start.image} results in empty or invalid base image name",
                start.span,
            )
