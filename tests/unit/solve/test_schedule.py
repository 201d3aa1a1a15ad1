"""Jobs run once, after what they wait for, several at a time; failure stops the rest."""

from __future__ import annotations

import threading
import time

import pytest

from jettison.errors import Cancelled, StepError
from jettison.solve.schedule import run_all


def test_a_job_runs_after_all_it_waits_for() -> None:
    done: list[str] = []
    graph = {
        "app": frozenset({"build", "base"}),
        "build": frozenset({"base"}),
        "base": frozenset[str](),
    }
    run_all(graph, done.append, workers=4, cancel=threading.Event())
    assert done == ["base", "build", "app"]


def test_independent_jobs_overlap() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(_: str) -> None:
        both.wait()  # times out unless the other job is running as well

    graph = {"a": frozenset[str](), "b": frozenset[str]()}
    run_all(graph, meet, workers=2, cancel=threading.Event())
    assert not both.broken


def test_the_first_failure_is_raised_and_nothing_new_starts() -> None:
    cancel = threading.Event()
    started: list[str] = []

    def run(job: str) -> None:
        started.append(job)
        if job == "bad":
            raise StepError("it broke")
        if job == "long":
            assert cancel.wait(10)
            raise Cancelled

    graph = {
        "bad": frozenset[str](),
        "long": frozenset[str](),
        "after": frozenset({"bad"}),
        "later": frozenset({"long"}),
    }
    with pytest.raises(StepError, match="it broke"):
        run_all(graph, run, workers=2, cancel=cancel)
    assert sorted(started) == ["bad", "long"]


def test_cancelling_from_outside_raises_cancelled() -> None:
    cancel = threading.Event()

    def run(_: str) -> None:
        cancel.set()
        time.sleep(0.01)

    with pytest.raises(Cancelled):
        run_all({"a": frozenset[str](), "b": frozenset({"a"})}, run, workers=1, cancel=cancel)
