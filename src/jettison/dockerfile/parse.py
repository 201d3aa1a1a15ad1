"""The front end's entry points: a whole Dockerfile, and one ONBUILD trigger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from msgspec.structs import replace

from jettison.dockerfile.ast import Ast, Node
from jettison.dockerfile.directives import check_front_end, detect_syntax
from jettison.dockerfile.instructions import Arg, Dockerfile, From, Instruction, Stage
from jettison.dockerfile.parser import parse_ast
from jettison.dockerfile.text import quoted
from jettison.dockerfile.typed import type_node
from jettison.errors import DockerfileError
from jettison.model.span import SourceText, Span


def parse(text: str, name: str, *, syntax: str | None = None) -> Dockerfile:
    """Parse a Dockerfile; ``name`` is what errors show.

    ``syntax`` names a front end instead of the one that the text asks for (BUILDKIT_SYNTAX).
    Raises DockerfileError, located, for everything that is wrong before variables are expanded.
    The check directive is not looked into (`checks.parse_check_options`).
    """
    _check_syntax(text, name, syntax)
    ast = parse_ast(text, name)
    global_args, stages = _stages(ast)
    return Dockerfile(
        escape=ast.escape,
        directives={directive.name: directive.value for directive in ast.directives},
        global_args=global_args,
        stages=stages,
        ast=ast,
    )


def parse_prefix(
    text: str, name: str, *, syntax: str | None = None
) -> tuple[Ast, tuple[Instruction, ...]]:
    """Of a Dockerfile that `parse` refuses: its nodes, and the instructions before the wrong one.

    Raises DockerfileError if the text has no nodes: it is not even made of instructions.
    """
    _check_syntax(text, name, syntax)
    ast = parse_ast(text, name)
    instructions: list[Instruction] = []
    with contextlib.suppress(DockerfileError):
        for _, instruction in _typed(ast):
            if not isinstance(instruction, Arg | From) and not _has_stage(instructions):
                break
            instructions.append(instruction)
    return ast, tuple(instructions)


def _has_stage(instructions: list[Instruction]) -> bool:
    return any(isinstance(instruction, From) for instruction in instructions)


def _check_syntax(text: str, name: str, syntax: str | None) -> None:
    if syntax:
        check_front_end(syntax, None)
        return
    directive = detect_syntax(SourceText(name, text.removeprefix("\ufeff")))
    if directive is not None:
        check_front_end(directive.value, directive.span)


def _stages(ast: Ast) -> tuple[tuple[Arg, ...], tuple[Stage, ...]]:
    global_args: list[Arg] = []
    stages: list[Stage] = []
    base: From | None = None
    body: list[Instruction] = []
    for node, instruction in _typed(ast):
        if isinstance(instruction, From):
            if base is not None:
                stages.append(Stage(len(stages), base, tuple(body)))
            base, body = instruction, []
        elif base is not None:
            body.append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        else:
            hint = "only ARG may stand before the first FROM"
            raise node.error("no build stage in current context", hint=hint)
    if base is None:
        raise DockerfileError(
            "dockerfile contains no stages to build",
            hint="add a FROM instruction",
            span=ast.nodes[-1].span,
        )
    stages.append(Stage(len(stages), base, tuple(body)))
    return tuple(global_args), tuple(stages)


def _typed(ast: Ast) -> Iterator[tuple[Node, Instruction]]:
    for node in ast.nodes:
        yield node, type_node(node)


def parse_trigger(text: str, span: Span | None = None) -> Instruction:
    """Parse an ONBUILD trigger as it is stored in an image.

    Its escape character is the backslash, unless it brings a directive. ``span`` is the FROM that
    fires it: the place of the instruction and of errors, which name the trigger. Raises
    DockerfileError; also for a FROM and for several instructions.
    """
    try:
        ast = parse_ast(text, "ONBUILD trigger of the base image")
        instruction = _only_instruction(ast)
    except DockerfileError as error:
        raise _in_trigger(text, error, span) from None
    return instruction if span is None else replace(instruction, span=span)


def _only_instruction(ast: Ast) -> Instruction:
    if len(ast.nodes) != 1:
        raise DockerfileError("onbuild trigger should be a single expression")
    node = ast.nodes[0]
    if node.name == "FROM":
        raise DockerfileError("FROM isn't allowed as an ONBUILD trigger")
    return type_node(node)


def _in_trigger(text: str, error: DockerfileError, span: Span | None) -> DockerfileError:
    shown = text.partition("\n")[0]
    reason = error.message.removeprefix("dockerfile parse error on line 1: ")
    return DockerfileError(
        f"ONBUILD trigger {quoted(shown)} of the base image: {reason}",
        hint=error.hint or "the trigger was stored when the base image was built; mend it there",
        span=span or error.span,
    )
