"""How steps are called in the progress view: ``[build 2/5] RUN make``, as buildx does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jettison.dockerfile.instructions import Copy, Instruction, Run, Workdir
from jettison.errors import JettisonError
from jettison.model.platform import Platform, make_platform, parse_platform


def counted(instructions: Iterable[Instruction]) -> int:
    """How many of the instructions count as steps of their stage."""
    return sum(isinstance(i, Run | Copy | Workdir) for i in instructions)


class StepNames:
    """Numbers the steps of one stage.

    ``label`` is the stage's name (empty if it is the only stage), ``platform`` is set if the build
    is for several platforms.
    """

    def __init__(self, label: str, total: int, platform: Platform | None = None) -> None:
        self._label = label
        self._total = total
        self._platform = platform
        self._number = 0

    def next(
        self, text: str, env: Mapping[str, str] | None = None, *, trigger: bool = False
    ) -> str:
        """The name of the stage's next step, which does ``text``."""
        if not self._total:
            return text
        self._number += 1
        words = [f"{self._number:>{len(str(self._total))}}/{self._total}"]
        if self._label:
            words.insert(0, self._label)
        if self._platform is not None:
            words.insert(0, str(self._platform) + _cross(self._platform, env or {}))
        return f"[{' '.join(words)}] {'ONBUILD ' if trigger else ''}{text}"


def _cross(base: Platform, env: Mapping[str, str]) -> str:
    """``->arm64`` in a stage that runs on ``base`` and compiles for another platform."""
    target = _target_of(env, base)
    if target is None or (target.os, target.architecture) == (base.os, base.architecture):
        return ""
    if target.os == base.os:
        return "->" + "/".join(p for p in (target.architecture, target.variant) if p)
    return f"->{target}"


def _target_of(env: Mapping[str, str], base: Platform) -> Platform | None:
    if "TARGETPLATFORM" in env:
        try:
            return parse_platform(env["TARGETPLATFORM"])
        except JettisonError:
            return None
    if not {"TARGETOS", "TARGETARCH"} & env.keys():
        return None
    return make_platform(
        env.get("TARGETOS") or base.os,
        env.get("TARGETARCH") or base.architecture,
        env.get("TARGETVARIANT", ""),
    )
