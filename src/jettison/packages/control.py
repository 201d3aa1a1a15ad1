"""Records of ``Field: value`` lines: Debian's control files (deb822), metadata of Python, jars."""

from __future__ import annotations

from collections.abc import Iterator


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file: fields by their name in lower case, the first of each.

    Lines that begin with a blank continue the field before them (and keep their line breaks).
    A line that is neither is passed over, as dpkg's own files have none.
    """
    record: dict[str, str] = {}
    field = ""
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if not line.strip():
            if record:
                yield record
            record, field = {}, ""
        elif line[0] in " \t":
            if field:
                record[field] += "\n" + line.strip()
        else:
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            field = name if colon and name not in record else ""
            if field:
                record[field] = value.strip()
    if record:
        yield record


def headers(text: str) -> dict[str, list[str]]:
    """The headers before the first empty line (core metadata of Python, RFC 822): all values."""
    found: dict[str, list[str]] = {}
    field = ""
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if not line.strip():
            break
        if line[0] in " \t":
            if field:
                found[field][-1] += "\n" + line.strip()
            continue
        name, colon, value = line.partition(":")
        field = name.strip().lower() if colon else ""
        if field:
            found.setdefault(field, []).append(value.strip())
    return found
