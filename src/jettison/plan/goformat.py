"""Values as Go prints and reads them: history texts are made with its %v, %+v and %q verbs."""

from __future__ import annotations

from collections.abc import Iterable

from jettison.model.oci import Healthcheck

_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_UNITS = (("h", 3600 * 10**9), ("m", 60 * 10**9))


def go_quote(text: str) -> str:
    """``text`` as Go's %q prints a string."""
    return '"' + "".join(_quoted(c) for c in text) + '"'


def _quoted(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    if char == " " or (char.isprintable() and char != "\N{SOFT HYPHEN}"):
        return char
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_quoted_list(words: Iterable[str]) -> str:
    """A list of strings under %q: ``["a" "b"]``."""
    return "[" + " ".join(go_quote(word) for word in words) + "]"


def go_list(words: Iterable[str]) -> str:
    """A list of strings under %v: ``[a b]``."""
    return "[" + " ".join(words) + "]"


def go_duration(nanoseconds: int) -> str:
    """A time.Duration (``1m30s``, ``500ms``, ``1.5s``)."""
    if nanoseconds < 0:
        return "-" + go_duration(-nanoseconds)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanoseconds < size * 1000:
            return _decimal(nanoseconds, size) + unit
    text = ""
    for unit, size in _UNITS:
        whole, nanoseconds = divmod(nanoseconds, size)
        if whole or text:
            text += f"{whole}{unit}"
    return text + _decimal(nanoseconds, 10**9) + "s"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"


def go_healthcheck(check: Healthcheck) -> str:
    """A HealthcheckConfig under %+v."""
    return (
        f"{{Test:{go_list(check.Test)} Interval:{go_duration(check.Interval)}"
        f" Timeout:{go_duration(check.Timeout)} StartPeriod:{go_duration(check.StartPeriod)}"
        f" StartInterval:{go_duration(check.StartInterval)} Retries:{check.Retries}}}"
    )


def go_bool(text: str) -> bool | None:
    """A boolean as ``strconv.ParseBool`` reads it, None for anything else."""
    return True if text in _TRUE else False if text in _FALSE else None
