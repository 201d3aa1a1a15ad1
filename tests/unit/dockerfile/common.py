"""Shared by the tests of the front end."""

from __future__ import annotations

from typing import TypeVar

import pytest

from jettison.dockerfile.instructions import Instruction
from jettison.dockerfile.parse import parse
from jettison.errors import DockerfileError

Kind = TypeVar("Kind", bound=Instruction)


def only(kind: type[Kind], line: str, escape: str = "\\") -> Kind:
    """The instruction that ``line`` is in a stage."""
    head = "" if escape == "\\" else f"# escape={escape}\n"
    (instruction,) = parse(f"{head}FROM scratch\n{line}\n", "Dockerfile").stages[0].instructions
    assert isinstance(instruction, kind)
    return instruction


def failure(text: str) -> DockerfileError:
    """The error of a Dockerfile."""
    with pytest.raises(DockerfileError) as caught:
        parse(text, "Dockerfile")
    return caught.value


def place(error: DockerfileError) -> tuple[int, int]:
    """Line and column of an error."""
    assert error.span is not None
    return error.span.line, error.span.column
