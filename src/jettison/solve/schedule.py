"""Runs what has to run: each job once, as soon as all it waits for is done, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jettison.errors import Cancelled

if TYPE_CHECKING:
    from concurrent.futures import Future


def run_all(
    waits_for: Mapping[str, frozenset[str]],
    run: Callable[[str], None],
    *,
    workers: int,
    cancel: threading.Event,
) -> None:
    """Call ``run(job)`` for every job of an acyclic ``waits_for``, from worker threads.

    The first job that fails sets ``cancel`` (running jobs watch it and end), and its error is
    raised once all have ended. Raises Cancelled if ``cancel`` was set from outside.
    """
    if not waits_for:
        if cancel.is_set():
            raise Cancelled
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    missing = {job: set(needs) for job, needs in waits_for.items()}
    users: dict[str, list[str]] = {job: [] for job in waits_for}
    for job, needs in waits_for.items():
        for need in needs:
            users[need].append(job)
    running: dict[Future[None], str] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="step") as pool:
        try:
            ready = [job for job, needs in missing.items() if not needs]
            while ready or running:
                while ready and not cancel.is_set():
                    job = ready.pop(0)
                    running[pool.submit(run, job)] = job
                if not running:
                    break
                # The timeout keeps the main thread open to signals.
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    error = future.exception()
                    if error is not None:
                        failure = _graver(failure, error)
                        cancel.set()
                        continue
                    for user in users[job]:
                        missing[user].discard(job)
                        if not missing[user]:
                            ready.append(user)
        except BaseException:
            cancel.set()
            raise
    if failure is not None:
        raise failure
    if cancel.is_set():
        raise Cancelled


def _graver(known: BaseException | None, new: BaseException) -> BaseException:
    """The error to report: the first that is not merely the echo of the cancellation."""
    if known is None or (isinstance(known, Cancelled) and not isinstance(new, Cancelled)):
        return new
    return known
