"""What a build fetches itself: ADD of URLs and of git repositories."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jettison.errors import Cancelled, StepError
from jettison.model.digest import Digest
from jettison.model.event import Observer, StepProgress
from jettison.plan.steps import Git, Http
from jettison.solve.access import Access
from jettison.solve.keys import key_of

if TYPE_CHECKING:
    from jettison.solve.git import Repository
    from jettison.solve.http import Answer
    from jettison.store.store import Store


class Remotes:
    """Pins remote sources to what they are now, and brings their files into layers.

    A URL that was fetched before is asked for with its ETag; if it did not change, its bytes come
    from the store (BuildKit revalidates in the same way).
    """

    def __init__(
        self,
        store: Store,
        environ: Mapping[str, str],
        observer: Observer,
        cancel: threading.Event,
        access: Access,
    ) -> None:
        self._store = store
        self._environ = environ
        self._observer = observer
        self._cancel = cancel
        self._access = access
        self._files: dict[str, _Download] = {}
        self._commits: dict[Git, str] = {}

    def pin(self, step: Http | Git) -> str:
        """A text that changes whenever the source does: digest and date, or a commit."""
        if isinstance(step, Git):
            return self._commit(step)
        download = self._files.get(step.url) or self._download(step)
        self._files[step.url] = download
        if step.checksum is not None and download.digest != step.checksum:
            raise StepError(
                f"digest mismatch {download.digest}: {step.checksum}",
                hint=f"{step.url} is not what --checksum says",
            )
        return f"{download.digest} {download.modified}"

    def epoch(self, step: Http | Git) -> int | None:
        """When the source was made: Last-Modified of a URL (if it says), the time of a commit."""
        self.pin(step)
        if isinstance(step, Http):
            return self._files[step.url].modified
        with self._store.staging.directory() as directory:
            self.fill(step, str(directory), f"date {step.url}")
            return int(os.stat(directory).st_mtime)

    def fill(self, step: Http | Git, directory: str, vertex: str) -> None:
        """Put the source's files into ``directory``."""
        if isinstance(step, Http):
            self._place(step, directory)
            return
        commit = self._repository(step).checkout(
            self._commit(step),
            step.ref,
            directory,
            subdir=step.subdir,
            keep_git_dir=step.keep_git_dir,
            submodules=step.submodules,
        )
        if step.checksum and not commit.startswith(step.checksum):
            raise StepError(f"expected checksum to match {step.checksum}, got {commit}")

    def _repository(self, step: Git) -> Repository:
        from jettison.solve.git import Repository

        return Repository(step.url, self._access.git(step.url, self._environ))

    def _commit(self, step: Git) -> str:
        if step not in self._commits:
            self._commits[step] = self._repository(step).commit_of(step.ref)
        return self._commits[step]

    def _place(self, step: Http, directory: str) -> None:
        download = self._files[step.url]
        path = os.path.join(directory, step.filename)
        source = self._store.blobs.path(download.digest)
        with open(source, "rb") as blob, open(path, "xb") as out:
            while chunk := blob.read(1 << 20):
                out.write(chunk)
            os.fchmod(out.fileno(), 0o600)
        date = download.modified or 0
        os.utime(path, (date, date))

    def _download(self, step: Http) -> _Download:
        from jettison.solve.http import fetch

        note_key = key_of("url", [step.url])
        note = self._store.cache.explain(note_key)
        old = _Download(*json.loads(note.parts)) if note else None
        if old is not None and not self._store.blobs.has(old.digest):
            old = None
        if old is not None and step.checksum == old.digest:
            return old  # named by its digest: no need to ask
        etag = old.etag if old else ""
        with fetch(step.url, etag=etag, authorization=self._access.http(step.url)) as answer:
            if answer.body is None and old is not None:
                return old
            new = self._ingest(step.url, answer)
        parts = json.dumps([new.digest, new.etag, new.modified]).encode()
        self._store.cache.put(note_key, (), description=step.url, parts=parts)
        return new

    def _ingest(self, url: str, answer: Answer) -> _Download:
        from jettison.solve.http import save

        def progress(done: int) -> None:
            if self._cancel.is_set():
                raise Cancelled
            self._observer.emit(StepProgress(f"fetch {url}", url, done, answer.length))

        with self._store.blobs.writer() as writer:
            save(answer, writer, progress)
            blob = writer.commit()
        return _Download(blob.digest, answer.etag, answer.modified)


class _Download:
    """A fetched URL: its bytes by digest, and what revalidates it."""

    __slots__ = ("digest", "etag", "modified")

    def __init__(self, digest: str, etag: str, modified: int | None) -> None:
        self.digest = Digest(digest)
        self.etag = etag
        self.modified = modified
