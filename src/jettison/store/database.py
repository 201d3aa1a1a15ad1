"""``cache.db``: SQLite in WAL mode, one connection shared by all threads of the process.

Everything in it can be made anew, so a damaged or outdated file is replaced, never mended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jettison.errors import StoreError
from jettison.store.faults import free_space, is_full, store_faults
from jettison.store.locks import locked
from jettison.store.paths import Paths

if TYPE_CHECKING:
    import sqlite3

VERSION = 2
_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE records (
    key TEXT PRIMARY KEY, layers TEXT NOT NULL, description TEXT NOT NULL,
    created REAL NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX records_description ON records (description, created);
CREATE TABLE parts (key TEXT PRIMARY KEY, parts BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE layers (
    id TEXT PRIMARY KEY, diff_id TEXT, created REAL NOT NULL, used REAL NOT NULL,
    size INTEGER, committed REAL, seconds REAL NOT NULL DEFAULT 0, boot TEXT) WITHOUT ROWID;
CREATE TABLE layer_blobs (
    layer TEXT NOT NULL, compression TEXT NOT NULL, diff_id TEXT NOT NULL,
    descriptor BLOB NOT NULL, digest TEXT NOT NULL, used REAL NOT NULL,
    PRIMARY KEY (layer, compression)) WITHOUT ROWID;
CREATE TABLE results (
    key TEXT PRIMARY KEY, descriptor BLOB NOT NULL, digest TEXT NOT NULL,
    used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE memo (
    dev INTEGER NOT NULL, ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL, digest TEXT NOT NULL, stored REAL NOT NULL,
    PRIMARY KEY (dev, ino)) WITHOUT ROWID;
"""

Row = tuple[Any, ...]
T = TypeVar("T")


class Database:
    """Opened at first use (importing sqlite3 takes longer than the queries)."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.database
        self._draft = paths.locks / "cache.db.new"
        self._creation = paths.lock("database")
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        return self._with(lambda connection: connection.execute(sql, parameters).fetchall())

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of a query, if there is one."""

        def first(connection: sqlite3.Connection) -> Row | None:
            found: Row | None = connection.execute(sql, parameters).fetchone()
            return found

        return self._with(first)

    def run(self, *statements: tuple[str, Sequence[object]]) -> None:
        """Execute statements in one transaction."""

        def all_of_them(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                for sql, parameters in statements:
                    connection.execute(sql, parameters)

        self._with(all_of_them)

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for each row, in one transaction."""
        rows = list(rows)
        if not rows:
            return

        def each(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.executemany(sql, rows)

        self._with(each)

    def problem(self, *, deep: bool) -> str:
        """What is wrong with the file as it is, without replacing it; empty if nothing is.

        ``deep`` compares the indexes with the tables too (PRAGMA integrity_check).
        """
        import sqlite3

        if not self._path.exists():
            return ""
        try:
            connection = sqlite3.connect(f"file:{quote(self._path)}?mode=ro", uri=True, timeout=5)
            with contextlib.closing(connection):
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != VERSION:
                    return f"has version {version} instead of {VERSION}"
                pragma = "integrity_check(1)" if deep else "quick_check(1)"
                (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
        except (sqlite3.Error, OSError) as error:
            return str(error)
        if found != "ok":
            return str(found)
        return "" if os.access(self._path, os.W_OK) else "cannot be written"

    def renew(self) -> None:
        """Put an empty database in its place. Raises StoreError."""
        with self._lock, store_faults(f"cannot replace {self._path}"):
            self.close()
            with locked(self._creation):
                _renew(self._path, self._draft)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _with(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` gives; it is done again on a new database if this one proves unusable."""
        import sqlite3

        with self._lock:
            try:
                try:
                    return work(self._connected())
                except sqlite3.DatabaseError as error:
                    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNUSABLE:
                        raise
                    self._replace()
                    return work(self._connected())
            except (sqlite3.Error, OSError) as error:
                message = f"{self._path}: {getattr(error, 'strerror', None) or error}"
                full = _is_full(error) or is_full(self._path.parent)
                more = f" ({free_space(self._path.parent)})" if full else ""
                raise StoreError(message + more, hint=_hint(full)) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._path, self._draft, self._creation)
            self._inode = _inode(self._path)
        return self._connection

    def _replace(self) -> None:
        """Have an empty database in place of one that is damaged or cannot be written, unless
        another process has done so already.
        """
        self.close()
        with locked(self._creation):
            if _inode(self._path) == self._inode:
                _renew(self._path, self._draft)


_IOERR = 10
_UNUSABLE = (8, 11, 26)
"""SQLITE_READONLY (also that of a file replaced by another process), _CORRUPT, _NOTADB."""


def quote(path: Path) -> str:
    """A path for a file: URI (sqlite.org/uri.html)."""
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(os.fsencode(path))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _is_full(error: Exception) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT)
    name = getattr(error, "sqlite_errorname", "")
    return name == "SQLITE_FULL" or getattr(error, "errno", None) in full


def _hint(full: bool) -> str:
    if full:
        return "free some space, for example with `jettison prune`"
    return "the file holds only what can be made anew; if this stays, remove it"


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _open(path: Path, draft: Path, creation: Path) -> sqlite3.Connection:
    """A connection to a database of this version; one that is not is replaced.

    A database appears whole and in WAL mode, by a rename: who finds a file need not wait for
    whoever makes it.
    """
    import sqlite3

    with contextlib.suppress(sqlite3.DatabaseError):
        if (connection := _current(path)) is not None:
            return connection
    with locked(creation):
        try:
            connection = _current(path)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != _IOERR:
                raise
            # No room for the index that processes share (-shm): alone it goes without one
            # (sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
            connection = _current(path, alone=True)
        except sqlite3.DatabaseError:  # not a database, or a damaged one
            connection = None
        if connection is None:
            _renew(path, draft)
            connection = _connect(path)
        return connection


def _renew(path: Path, draft: Path) -> None:
    _discard(draft)
    _create(draft)
    _discard(path)
    os.rename(draft, path)


def _connect(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _current(path: Path, *, alone: bool = False) -> sqlite3.Connection | None:
    """A connection, if the file has the schema of this version; None if an older one or none."""
    if not path.exists():
        return None
    connection = _connect(path, alone=alone)
    version = 0
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    finally:
        if version != VERSION:
            connection.close()
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer jettison",
            hint="use that one, or another directory (JETTISON_ROOT)",
        )
    return connection if version == VERSION else None


def _create(path: Path) -> None:
    connection = _connect(path)
    try:
        with _transaction(connection):
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _discard(path: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
