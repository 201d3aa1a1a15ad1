"""The work list: files come in, rules say what they need, that comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from jettison.closure.launch import seeds
from jettison.closure.linker import Linker
from jettison.closure.model import Closure, Gap, Launch, Need, Options, Reason
from jettison.closure.rules import RULES
from jettison.closure.world import World
from jettison.errors import JettisonError
from jettison.fs.tree import Tree, clean

Owner = Callable[[str], str]
"""The package that would bring a path or a library's name; empty if nobody knows."""


def closure_of(
    tree: Tree,
    launch: Launch,
    files: Iterable[str] = (),
    *,
    options: Options | None = None,
    owner: Owner = lambda name: "",
    progress: Callable[[], None] = lambda: None,
) -> Closure:
    """What ``launch`` and ``files`` (paths in the tree) need at run time, themselves included.

    ``progress`` is called for every file, and may raise to end it. Nothing that is missing or
    damaged raises: it is a gap. Raises PathError if the host cannot read the tree.
    """
    world = World(tree, launch, options or Options())
    engine = _Engine(world, progress)
    for need in (*seeds(world), *(Need(path=clean(f), reason="was asked for") for f in files)):
        engine.add(need, "launch")
    engine.run()
    return engine.result(owner)


class _Engine:
    def __init__(self, world: World, progress: Callable[[], None]) -> None:
        self._world = world
        self._progress = progress
        self._linker = Linker(world)
        self._items: dict[str, list[Reason]] = {}
        self._gaps: dict[tuple[str, str], tuple[Gap, bool]] = {}
        self._below: set[str] = set()
        self._pending: deque[str] = deque()
        self._found: set[tuple[str, str]] = set()
        self._cache: set[str] = set()
        self._sonames: set[str] | None = None

    def run(self) -> None:
        while self._pending:
            self._progress()
            path = self._pending.popleft()
            file = self._world.file(path)
            if file is None:
                continue
            self._link(path)
            for rule in RULES:
                try:
                    for found in rule.needs(file, self._world):
                        self._take(found, path, rule.name)
                except JettisonError as error:
                    message = f"{path}: {error.message}"
                    self._gap(Gap(what=path, by=path, rule=rule.name, message=message, fatal=False))

    def add(self, need: Need, rule: str, by: str = "") -> None:
        """Take in what a path leads to, with all links on the way."""
        reason = Reason(need.by or by, rule, need.reason, need.weak)
        try:
            real, links = self._world.route(need.path)
        except JettisonError as error:
            self._gap(Gap(what=need.path, by=reason.by, rule=rule, message=error.message))
            return
        entry = self._world.tree.lstat(real)
        if entry is None:
            if not need.optional:
                self._gap(_missing(need, reason, real))
            return
        for link in links:
            self._item(link, reason, link=True)
        if entry.is_dir:
            if need.below:
                self._directory(real, need, reason)
        else:
            self._item(real, reason)

    def result(self, owner: Owner) -> Closure:
        hard = self._hard()
        gaps = []
        for gap, weak in self._gaps.values():
            if (gap.by, gap.key) in self._found or self._is_loaded(gap):
                continue
            package = owner(gap.key or gap.what)
            hint = gap.hint
            if package:
                hint = f"the package {package} has it" + (f"; {hint}" if hint else "")
            fatal = gap.fatal and not weak and (not gap.by or gap.by in hard)
            gaps.append(msgspec.structs.replace(gap, hint=hint, fatal=fatal))
        items = {path: tuple(reasons) for path, reasons in sorted(self._items.items())}
        gaps.sort(key=lambda gap: (not gap.fatal, gap.by, gap.what))
        return Closure(items=items, gaps=tuple(gaps), needs_cache=tuple(sorted(self._cache)))

    # ---------------------------------------------------------------- one file

    def _link(self, path: str) -> None:
        """What ld.so would do with a program, or a library that no program has loaded."""
        for step in self._linker.load(path):
            if isinstance(step, Gap):
                self._gap(step)
                continue
            self._found.add((step.by, step.name))
            if step.through_cache:
                self._cache.add(step.need.path)
            self.add(step.need, "elf", step.by)

    def _take(self, found: Need | Gap, path: str, rule: str) -> None:
        if isinstance(found, Gap):
            self._gap(found)
        else:
            self.add(found, rule, path)

    def _directory(self, path: str, need: Need, reason: Reason) -> None:
        leave = {self._world.real(place) for place in need.leave}
        if path in self._below:
            return
        self._below.add(path)
        stack = [path]
        while stack:
            self._progress()
            for entry in self._world.tree.children(stack.pop()):
                if entry.path in leave:
                    continue
                if entry.is_dir:
                    stack.append(entry.path)
                elif entry.is_link:
                    inner = Need(path=entry.path, reason=need.reason, optional=True, weak=True)
                    self.add(inner, reason.rule, reason.by)
                else:
                    self._item(entry.path, reason)

    def _item(self, path: str, reason: Reason, *, link: bool = False) -> None:
        reasons = self._items.get(path)
        if reasons is None:
            self._items[path] = [reason]
            if not link:
                self._pending.append(path)
        elif reason not in reasons and len(reasons) < 64 and reason.by != path:
            reasons.append(reason)

    def _gap(self, gap: Gap, weak: bool = False) -> None:
        self._gaps.setdefault((gap.by, gap.key or gap.what), (gap, weak))

    def _is_loaded(self, gap: Gap) -> bool:
        """Whether a library that a plug-in needs is in the program that opens the plug-in.

        Such are found because they are loaded already, wherever they lie (libjvm.so is one).
        """
        elf = self._world.elf(gap.by) if gap.key else None
        if elf is None or elf.interpreter:
            return False
        if self._sonames is None:
            self._sonames = set()
            for path in self._items:
                other = self._world.elf(path)
                if other is not None:
                    self._sonames |= {other.soname, path.rpartition("/")[2]}
        return gap.key in self._sonames

    def _hard(self) -> set[str]:
        """The files that are there for a reason without which nothing works, up to the launch."""
        hard: set[str] = {""}
        users: dict[str, list[str]] = {}
        for path, reasons in self._items.items():
            for reason in reasons:
                if not reason.weak:
                    users.setdefault(reason.by, []).append(path)
        pending = [""]
        while pending:
            for path in users.get(pending.pop(), ()):
                if path not in hard:
                    hard.add(path)
                    pending.append(path)
        return hard


def _missing(need: Need, reason: Reason, real: str) -> Gap:
    where = f"{need.path} (which leads to {real})" if real != need.path else need.path
    by = reason.by or "the launch"
    return Gap(
        what=need.path,
        by=reason.by,
        rule=reason.rule,
        message=f"{by}: {where} is not there: {need.reason}",
        fatal=not need.weak,
    )
