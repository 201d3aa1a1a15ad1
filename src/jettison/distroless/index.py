"""The index of packages as a small SQLite file, made once for each Packages file.

A Packages file has tens of thousands of paragraphs; a closure looks at some hundreds. The file is
read through once and what resolving needs is put where it is found by name.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from jettison.distroless.model import PackageRef, Stanza
from jettison.errors import PackageError, StoreError
from jettison.packages.debindex import Entry
from jettison.packages.debversion import version_key
from jettison.packages.relation import parse_provides

FORMAT = "1"
"""Of these files: part of the name under which the store remembers them."""

_COLUMNS = (
    "name, version, architecture, filename, size, sha256, multi_arch, essential, priority, "
    "pre_depends, depends, recommends, provides, conflicts, breaks"
)
_BATCH = 1000


def write_index(entries: Iterable[Entry], path: Path) -> int:
    """Write the index ``path``, which must not be there; returns the number of packages.

    Raises PackageError if an entry is malformed, StoreError if it cannot be written.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"CREATE TABLE packages ({_COLUMNS})")
            database.execute("CREATE TABLE provided (name, package)")
            database.execute("BEGIN")
            count = 0
            for batch in _batches(entries):
                count += len(batch)
                marks = ", ".join("?" * len(_COLUMNS.split(",")))
                database.executemany(f"INSERT INTO packages VALUES ({marks})", map(_row, batch))
                database.executemany("INSERT INTO provided VALUES (?, ?)", _provided(batch))
            database.execute("CREATE INDEX packages_name ON packages (name)")
            database.execute("CREATE INDEX provided_name ON provided (name)")
            database.execute("COMMIT")
            return count
        finally:
            database.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot write an index of packages: {error}") from None


class Index:
    """Indexes of several archives as one (`model.PackageIndex`); for one thread.

    ``parts`` are files of `write_index`, each with the number of its archive: of equal versions
    the one of the part named first is taken.
    """

    def __init__(self, architecture: str, parts: Sequence[tuple[int, Path]]) -> None:
        self._architecture = architecture
        self._parts = [(number, _open(path)) for number, path in parts]

    @property
    def architecture(self) -> str:
        return self._architecture

    def versions(self, name: str) -> tuple[Stanza, ...]:
        """The packages called ``name``, newest first. Raises PackageError."""
        found = list(self._stanzas("name = ?", name))
        return tuple(sorted(found, key=lambda s: version_key(s.version), reverse=True))

    def providers(self, name: str) -> tuple[Stanza, ...]:
        """The packages that provide ``name``. Raises PackageError."""
        where = "name IN (SELECT package FROM provided WHERE name = ?)"
        return tuple(
            stanza
            for stanza in self._stanzas(where, name)
            if any(relation.name == name for relation in stanza.gives())
        )

    def essential(self) -> tuple[str, ...]:
        """The names of essential packages, sorted."""
        return tuple(sorted({stanza.name for stanza in self._stanzas("essential = ?", 1)}))

    def names(self) -> Iterator[str]:
        """All names, provided ones too; some more than once."""
        for _, part in self._parts:
            for (name,) in _rows(part, "SELECT name FROM packages UNION SELECT name FROM provided"):
                yield name

    def close(self) -> None:
        for _, part in self._parts:
            part.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _stanzas(self, where: str, value: object) -> Iterator[Stanza]:
        query = f"SELECT {_COLUMNS} FROM packages WHERE {where} ORDER BY rowid"
        for number, part in self._parts:
            for row in _rows(part, query, (value,)):
                if row[2] in (self._architecture, "all"):
                    yield _stanza(row, number)


def _open(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
    try:
        return sqlite3.connect(address, uri=True)
    except sqlite3.Error as error:
        raise StoreError(f"cannot read an index of packages: {error}") from None


def _rows(
    database: sqlite3.Connection, query: str, values: tuple[object, ...] = ()
) -> Iterator[tuple[str, ...]]:
    try:
        yield from database.execute(query, values)
    except sqlite3.Error as error:
        raise StoreError(f"an index of packages is damaged: {error}") from None


def _stanza(row: Sequence[object], archive: int) -> Stanza:
    text = [str(value) for value in row]
    ref = PackageRef(
        name=text[0],
        version=text[1],
        architecture=text[2],
        archive=archive,
        filename=text[3],
        size=int(text[4]),
        sha256=text[5],
    )
    return Stanza(
        ref=ref,
        multi_arch=text[6],
        essential=text[7] == "1",
        priority=text[8],
        pre_depends=text[9],
        depends=text[10],
        recommends=text[11],
        provides=text[12],
        conflicts=text[13],
        breaks=text[14],
    )


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.name, entry.version, entry.architecture, entry.filename, entry.size, entry.sha256,
        entry.multi_arch, int(entry.essential), entry.priority, entry.pre_depends, entry.depends,
        entry.recommends, entry.provides, entry.conflicts, entry.breaks,
    )  # fmt: skip


def _provided(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        if entry.provides:
            try:
                names = {relation.name for relation in parse_provides(entry.provides)}
            except PackageError as error:
                raise PackageError(f"{entry.name}: {error.message}") from None
            for name in sorted(names):
                yield name, entry.name


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
