"""One value of ``RUN --mount``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jettison.dockerfile.instructions import Mount
from jettison.dockerfile.suggest import did_you_mean
from jettison.dockerfile.text import expression
from jettison.errors import DockerfileError
from jettison.model.span import Span

_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARINGS = ("shared", "private", "locked")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_FIELDS = {
    "type": "type",
    "from": "from_",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "readonly": "read_only",
    "ro": "read_only",
    "readwrite": "read_only",
    "rw": "read_only",
    "id": "id",
    "sharing": "sharing",
    "required": "required",
    "size": "size",
    "mode": "mode",
    "uid": "uid",
    "gid": "gid",
    "env": "env",
}
_BARE = frozenset({"readonly", "ro", "readwrite", "rw", "required"})
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}

Expand = Callable[[str], str]


def parse_mount(text: str, *, expand: Expand | None = None, span: Span | None = None) -> Mount:
    """Type the value of one --mount flag.

    With ``expand`` (which expands one word and removes quotes) the mount is final and checked
    entirely; without, values that hold ``$``, quotes or escapes are kept as written and not looked
    at. Raises DockerfileError: unknown keys, types and values, a variable in ``from``, keys that
    the type of mount does not know. (Keys count in order: ``required`` and ``size`` need their
    type before them, as in BuildKit's ``commands_runmount.go``.)
    """
    typer = _Typer(expand, span)
    for item in _fields(text, span):
        typer.add(item)
    return typer.finish()


def parse_size(text: str) -> int:
    """Bytes of ``10``, ``1.5g``, ``64MiB``, ``4 kB`` (binary units, go-units' ``RAMInBytes``).

    Raises ValueError for anything else, and for what 63 bits do not hold.
    """
    pattern = r"([+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)) ?(?:([kmgtp])(?:b|ib)?|b)?"
    match = expression(pattern).fullmatch(text.lower())
    if match is None or text.endswith(" "):
        raise ValueError(f"invalid size: {text!r}")
    size = float(match[1]) * _UNITS.get(match[2] or "", 1)
    if size >= 1 << 63:
        raise ValueError(f"size too large: {text!r}")
    return int(size)


class _Typer:
    def __init__(self, expand: Expand | None, span: Span | None) -> None:
        self._expand = expand
        self._span = span
        self._values: dict[str, Any] = {}
        self._type_known = True

    def add(self, item: str) -> None:
        """Take one ``key=value`` or bare key."""
        key, equals, value = item.partition("=")
        key = key.lower()
        if key not in _FIELDS:
            suggestion = did_you_mean(key, _FIELDS)
            if not equals:
                raise self._error(f"invalid field '{item}' must be a key=value pair")
            raise self._error(f"unexpected key '{key}' in '{item}'{suggestion}")
        if not equals:
            if key not in _BARE:
                raise self._error(f"invalid field '{item}' must be a key=value pair")
            value = "true"
        elif self._expand is not None:
            value = self._expand(value)
        elif key == "from" and "$" in value[:-1]:
            raise self._error(
                f"'{key}' doesn't support variable expansion, define alias stage instead",
                "add a stage FROM the variable's value, and mount from that stage",
            )
        elif any(char in value for char in "$\\`'\""):
            self._keep(key, value)
            return
        self._set(key, value)

    def _keep(self, key: str, value: str) -> None:
        """Note a value that only expansion will tell; a type so given switches checks off."""
        name = _FIELDS[key]
        if name == "type":
            self._type_known = False
        if name not in ("read_only", "required"):
            self._values[name] = value

    def _set(self, key: str, value: str) -> None:
        checked: str | bool = value
        match _FIELDS[key]:
            case "type":
                checked = self._choice("mount type", value, _TYPES)
                self._type_known = True
            case "sharing":
                checked = self._choice("sharing value", value, _SHARINGS)
            case "read_only":
                checked = self._boolean(key, value) != (key in ("readwrite", "rw"))
            case "required":
                self._only_for(key, "secret", "ssh")
                checked = self._boolean(key, value)
            case "size":
                self._only_for(key, "tmpfs")
                checked = self._size(key, value)
            case "mode" | "uid" | "gid":
                self._number(key, value)
        self._values[_FIELDS[key]] = checked

    def _choice(self, what: str, value: str, options: tuple[str, ...]) -> str:
        if value.lower() not in options:
            suggestion = did_you_mean(value, options)
            raise self._error(
                f'unsupported {what} "{value}"{suggestion}', f"one of {', '.join(options)}"
            )
        return value.lower()

    def _boolean(self, key: str, value: str) -> bool:
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise self._error(f"invalid value for {key}: {value}", f"{key} takes true or false")

    def _only_for(self, key: str, *types: str) -> None:
        kind = self._values.get("type", "bind")
        if self._type_known and kind not in types:
            raise self._error(
                f"unexpected key '{key}' for mount type '{kind}'",
                f"{key} is for type={' and type='.join(types)}, and stands after the type",
            )

    def _size(self, key: str, value: str) -> str:
        try:
            return str(parse_size(value))
        except ValueError:
            raise self._error(
                f"invalid value for {key}: {value}", "a size is a number and a unit: 64m, 1g"
            ) from None

    def _number(self, key: str, value: str) -> None:
        digits, base = ("[0-7]{1,24}", 8) if key == "mode" else ("[0-9]{1,24}", 10)
        if not expression(digits).fullmatch(value) or int(value, base) >= 1 << 32:
            raise self._error(f"invalid value {value} for {key}")

    def finish(self) -> Mount:
        mount = Mount(**self._values)
        if not self._type_known:
            return mount
        if mount.type not in ("secret", "ssh", "cache"):
            for key in ("mode", "uid", "gid"):
                if getattr(mount, key) is not None:
                    raise self._error(f'{key} not allowed for "{mount.type}" type mounts')
        if mount.type == "secret":
            self._check_secret(mount)
        if mount.sharing and mount.type != "cache":
            raise self._error(f"invalid cache sharing set for {mount.type} mount")
        return mount

    def _check_secret(self, mount: Mount) -> None:
        if mount.from_:
            raise self._error("secret mount should not have a from")
        if mount.sharing:
            raise self._error("secret mount should not define sharing")
        if not (mount.source or mount.target or mount.id):
            raise self._error(
                "invalid secret mount. one of source, target required", "name it with id=NAME"
            )
        if mount.source and mount.id:
            raise self._error("both source and id can't be set")

    def _error(self, message: str, hint: str | None = None) -> DockerfileError:
        return DockerfileError(message, hint=hint, span=self._span)


def _fields(text: str, span: Span | None) -> list[str]:
    """The comma-separated fields; a field in double quotes may hold commas (CSV, one line)."""
    fields: list[str] = []
    at = 0
    while True:
        quoted = text.startswith('"', at)
        pattern = r'"((?:[^"]|"")*)"(,|\Z)' if quoted else r'([^",]*)(,|\Z)'
        match = expression(pattern).match(text, at)
        if match is None or not text:
            reason = "a quote is in the wrong place" if text else "the value is empty"
            raise DockerfileError(
                f"failed to parse csv mounts: {reason}",
                hint="quote a whole field to have commas in it: '\"target=/a,b\"'",
                span=span,
            )
        fields.append(match[1].replace('""', '"') if quoted else match[1])
        if not match[2]:
            return fields
        at = match.end()
