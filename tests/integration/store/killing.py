"""Kill jettison at random moments; what is left must be sound, and the next build right.

python -m tests.integration.store.killing [COUNT [SEED]]     prints a table
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.store.project import make_project
from tests.integration.support.layouts import busybox_layout
from tests.integration.support.runner import Jettison
from tests.integration.support.server import run_registry

STAGES = ("pull", "run", "copy", "commit", "export", "prune")
CGROUPS = "/sys/fs/cgroup"


@dataclass
class Outcome:
    """What kills in one stage came to. ``early``: how many commands ended before theirs."""

    stage: str
    kills: int = 0
    early: int = 0
    leftovers: int = 0
    problems: list[str] = field(default_factory=list)


class Killer:
    """Kills one command after the other on one store. ``project`` is built between the kills."""

    def __init__(self, work: Path, base: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._work = work
        self._killed: set[str] = set()
        self.own = Jettison(work / "store")
        self.project = make_project(work / "project", base)
        began = time.monotonic()
        self.expected = self.project.digest(Jettison(work / "undisturbed"))
        self._cold = time.monotonic() - began
        self._commands: dict[str, Callable[[], list[str]]] = {
            "pull": self._pull,
            "run": lambda: ["build", "--no-cache", *self.project.flags()],
            "copy": self._copy,
            "commit": self._commit,
            "export": self._export,
            "prune": lambda: ["prune", "--force", "--all"],
        }

    # ---------------------------------------------------------------- what is killed

    def _pull(self) -> list[str]:
        """From an empty store: base layers are fetched and unpacked."""
        shutil.rmtree(self.own.store, ignore_errors=True)
        return ["build", *self.project.flags()]

    def _copy(self) -> list[str]:
        text = "FROM scratch\nCOPY files /a\nCOPY files /b\nCOPY files /c\n"
        return ["build", "--no-cache", "-f", self._dockerfile(text), str(self.project.directory)]

    def _commit(self) -> list[str]:
        """Many steps that do next to nothing but be committed."""
        lines = "".join(f"WORKDIR /d{n}\n" for n in range(60))
        text = f"FROM scratch\n{lines}"
        return ["build", "--no-cache", "-f", self._dockerfile(text), str(self.project.directory)]

    def _export(self) -> list[str]:
        level = self._random.randint(1, 9)  # another one each time, so that blobs are made anew
        out = f"type=oci,dest={self._work}/out.tar,compression-level={level},force-compression=true"
        return ["build", *self.project.flags("--output", out)]

    def _dockerfile(self, text: str) -> str:
        path = self._work / "Dockerfile"
        path.write_text(text)
        return str(path)

    # ---------------------------------------------------------------- killing and looking

    def kill(self, stage: str, outcome: Outcome) -> None:
        """Kill one command of a stage; whatever is wrong afterwards goes into ``outcome``."""
        longest = {"pull": self._cold, "run": self._cold, "export": 1.2}.get(stage, 0.5)
        while not self._kills(stage, delay := self._random.uniform(0.1, longest)):
            outcome.early += 1
            longest = max(0.15, delay)
        where = f"{stage} after {delay:.3f} s"
        outcome.problems += [f"{where}: {problem}" for problem in self._look(outcome)]
        outcome.kills += 1

    def _kills(self, stage: str, delay: float) -> bool:
        """Kill a command after so many seconds; False if it ended before that."""
        process = subprocess.Popen(
            self.own.command(*self._commands[stage]()),
            env=self.own.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(delay)
            return False
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            self._killed.add(str(process.pid))
            return True

    def _look(self, outcome: Outcome) -> Iterator[str]:
        checked = self.own("check", check=False)
        outcome.leftovers += checked.stdout.count("harmless")
        if checked.returncode:
            yield f"check: {checked.stdout}{checked.stderr}"
        try:
            digest = self.project.digest(self.own)
        except AssertionError as error:
            yield f"the next build fails: {error}"
            return
        if digest != self.expected:
            yield f"the next build gives {digest} instead of {self.expected}"
        deadline = time.monotonic() + 2
        while (found := [*self._remains()]) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield from found

    def _remains(self) -> Iterator[str]:
        """Mounts, processes and control groups that are still there."""
        store = str(self.own.store)
        if store in Path("/proc/self/mountinfo").read_text():
            yield "a mount is left"
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ")
                except OSError:
                    continue
                if store.encode() in line and b"sync -f" not in line:
                    yield f"a process is left: {line.decode(errors='replace')}"
        yield from self._groups()

    def _groups(self) -> Iterator[str]:
        """Groups of what was killed; those of other builds on this machine are not ours."""
        for directory, names, _ in os.walk(CGROUPS):
            for name in names:
                pid = name.split("-")[1] if name.startswith("jettison-") else ""
                if pid in self._killed:
                    yield f"a control group is left: {directory}/{name}"

    def finish(self) -> list[str]:
        """What is wrong in the end, once everything was swept."""
        self.own("prune", "--force")
        done = self.own("check", "--read-data", check=False)
        return [] if done.stdout == "The store is sound.\n" else [done.stdout + done.stderr]


def kill_often(work: Path, base: str, count: int, seed: int) -> list[Outcome]:
    """``count`` kills, the stages in turn."""
    killer = Killer(work, base, seed)
    outcomes = {stage: Outcome(stage) for stage in STAGES}
    for number in range(count):
        stage = STAGES[number % len(STAGES)]
        killer.kill(stage, outcomes[stage])
    outcomes["end"] = Outcome("end", problems=killer.finish())
    return list(outcomes.values())


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="jettison-kill-") as name:
        work = Path(name)
        with run_registry(work / "registry") as registry:
            layout = busybox_layout(work / "layout")
            registry.load(layout.path, "busybox", "base:kill")
            began = time.monotonic()
            outcomes = kill_often(work, registry.name("base:kill"), count, seed)
    print(f"seed {seed}, {time.monotonic() - began:.0f} s")
    print(f"{'stage':8} {'kills':>6} {'ended before':>13} {'leftovers':>10} {'problems':>9}")
    for each in outcomes:
        print(
            f"{each.stage:8} {each.kills:6} {each.early:13} {each.leftovers:10} "
            f"{len(each.problems):9}"
        )
    for each in outcomes:
        for problem in each.problems:
            print(problem)
    return int(any(each.problems for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
