import json
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import doctor, probe, spawn
from jettison.sandbox.check import Check
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab

BROKEN = "#!/bin/sh\necho 'broken runtime' >&2\nexit 1\n"


@pytest.fixture
def broken(lab: Lab) -> str:
    """A directory with a ``crun`` that cannot run containers."""
    directory = os.path.join(lab.directory, "broken")
    os.makedirs(directory, exist_ok=True)
    Path(directory, "crun").write_text(BROKEN)
    os.chmod(os.path.join(directory, "crun"), 0o755)
    return directory


def test_runtime_that_fails_is_passed_over_with_its_reason(lab: Lab, broken: str) -> None:
    def work(isolation: Isolation) -> tuple[str, tuple[str, ...]]:
        os.environ["PATH"] = f"{broken}:{os.environ['PATH']}"
        runtime = probe.find_runtime(isolation, scratch=lab.directory)
        return runtime.name, runtime.reasons

    name, reasons = lab.isolated(work)
    assert name != "crun"
    assert "broken runtime" in reasons[0]


def test_runtime_that_was_asked_for_has_no_stand_in(lab: Lab, broken: str) -> None:
    def work(isolation: Isolation) -> str:
        with pytest.raises(SandboxError) as caught:
            probe.find_runtime(isolation, scratch=lab.directory, name=f"{broken}/crun")
        return caught.value.message

    assert "no OCI runtime works on this host: crun" in lab.isolated(work)


def test_no_runtime_installed(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[str, str]:
        os.environ["PATH"] = "/no/such"
        with pytest.raises(SandboxError) as caught:
            probe.find_runtime(isolation, scratch=lab.directory)
        return caught.value.message, caught.value.hint or ""

    message, hint = lab.isolated(work)
    assert message == "no OCI runtime is installed"
    assert "apt-get install runc" in hint


def test_outcome_is_remembered_until_something_changes(lab: Lab) -> None:
    memory = os.path.join(lab.directory, "remembered.json")

    def work(isolation: Isolation) -> list[int]:
        sizes = []
        with patch.object(probe, "probe", wraps=probe.probe) as counted:
            for spoil in (None, None, "boot", "text"):
                if spoil == "boot":
                    record = json.loads(Path(memory).read_text())
                    record["key"][1] = "another boot"
                    Path(memory).write_text(json.dumps(record))
                elif spoil == "text":
                    Path(memory).write_text("{")
                probe.find_runtime(isolation, scratch=lab.directory, remember=memory)
                sizes.append(counted.call_count)
        return sizes

    first, second, third, fourth = lab.isolated(work)
    assert first > 0
    assert (second, third, fourth) == (first, 2 * first, 3 * first)


def test_own_launcher_serves_where_util_linux_is_missing(lab: Lab) -> None:
    if lab.rootless:
        return  # its Python is root's here

    def work(isolation: Isolation) -> str | None:
        runtime = lab.runtime(isolation)
        other = type(runtime)(runtime.name, runtime.path, runtime.host, spawn.OWN)
        return probe.probe(other, lab.directory)

    assert lab.isolated(work) is None


def test_nothing_is_left_in_the_scratch_directory(lab: Lab) -> None:
    lab.isolated(lambda isolation: probe.find_runtime(isolation, scratch=lab.directory).name)
    assert not [name for name in os.listdir(lab.directory) if name.startswith("probe-")]


def test_doctor_finds_this_host_fit(lab: Lab) -> None:
    def work(isolation: Isolation) -> list[tuple[str, bool, str]]:
        checks = doctor.examine(isolation, store=lab.directory, environment=os.environ)
        return [(check.name, check.ok, check.detail) for check in checks]

    checks = lab.isolated(work)
    needed = {"kernel", "user namespaces", "isolation", "overlay", "store", "subordinate ids"}
    assert {name for name, ok, _ in checks if ok} >= needed
    assert any(
        name.startswith("runtime") and "runs a container" in text for name, _, text in checks
    )


def test_doctor_says_what_to_mend_when_isolation_failed(lab: Lab) -> None:
    failure = SandboxError("cannot make a user namespace: denied", hint="allow them")
    checks = doctor.examine(failure, store=lab.directory, environment={})
    assert [check for check in checks if check.name == "isolation"] == [
        Check("isolation", False, "cannot make a user namespace: denied", "allow them")
    ]
    assert not any(check.name.startswith("runtime") for check in checks)
