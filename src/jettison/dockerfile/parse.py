"""The front end's entry points: a whole Dockerfile, or one ONBUILD trigger."""

from __future__ import annotations

import dataclasses

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.ast import Ast
from jettison.dockerfile.directives import check_front_end, detect_syntax
from jettison.dockerfile.parser import parse_ast
from jettison.dockerfile.typing import type_instruction
from jettison.errors import DockerfileError
from jettison.model.span import Span


def parse(text: str, name: str) -> ins.Dockerfile:
    """Parse and type a Dockerfile; ``name`` is what errors call it.

    Raises DockerfileError, with the place, for anything that is no Dockerfile.
    """
    ast = parse_ast(text, name)
    syntax = detect_syntax(ast.source)
    if syntax is not None:
        check_front_end(syntax.value, syntax.span)
    if not ast.nodes:
        raise DockerfileError("file with no instructions", span=Span(ast.source, 1))
    global_args, stages = _stages(ast)
    return ins.Dockerfile(
        escape=ast.escape,
        directives={directive.name: directive.value for directive in ast.directives},
        global_args=global_args,
        stages=stages,
        ast=ast,
    )


def parse_trigger(text: str, span: Span) -> ins.Instruction:
    """Type an ONBUILD trigger as an image stores it; ``span`` is the FROM that fires it.

    Raises DockerfileError at ``span``: the text itself is in no file of the user.
    """
    try:
        ast = parse_ast(text, f"ONBUILD trigger of {span}")
        if len(ast.nodes) != 1:
            raise DockerfileError(f"invalid ONBUILD trigger of the base image: {text!r}")
        trigger = type_instruction(ast.nodes[0])
    except DockerfileError as error:
        raise DockerfileError(
            f"ONBUILD trigger of the base image: {error.message}", hint=error.hint, span=span
        ) from None
    return dataclasses.replace(trigger, span=span)


def _stages(ast: Ast) -> tuple[tuple[ins.Arg, ...], tuple[ins.Stage, ...]]:
    """The instructions before the first FROM, which are ARGs, and the stages."""
    global_args: list[ins.Arg] = []
    stages: list[tuple[ins.From, list[ins.Instruction]]] = []
    for node in ast.nodes:
        instruction = type_instruction(node)
        if isinstance(instruction, ins.From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, ins.Arg):
            global_args.append(instruction)
        else:
            hint = "only ARG may come before the first FROM"
            raise node.error("no build stage in current context", None, hint)
    if not stages:
        raise DockerfileError(
            "no build stage in current context: no stages to build",
            hint="a stage begins with FROM",
            span=Span(ast.source, 1),
        )
    typed = (ins.Stage(n, base, tuple(body)) for n, (base, body) in enumerate(stages))
    return tuple(global_args), tuple(typed)
