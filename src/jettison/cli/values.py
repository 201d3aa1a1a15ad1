"""The values of build's flags: text as docker accepts it -> the request's types.

Pure functions; each raises UsageError naming the flag. Sources: buildx `util/buildflags`,
docker/cli `opts`, docker/go-units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jettison.app.request import Output, SecretSpec, SshSpec
from jettison.errors import JettisonError, UsageError
from jettison.model.platform import Platform, parse_platform
from jettison.plan.steps import Ulimit

OUTPUT_TYPES = ("docker", "image", "local", "oci", "registry", "tar")
ENTITLEMENTS = ("network.host", "security.insecure")
NETWORKS = ("default", "host", "none")
ULIMITS = frozenset(
    """core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending
    stack""".split()
)
_SIZE = r"^(\d+(?:\.\d+)?) ?([kmgtp])?(?:i?b)?$"
_SIZES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def split_csv(flag: str, text: str) -> list[str]:
    """The fields of one CSV record (RFC 4180: a field may be quoted to hold a comma)."""
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise UsageError(f"invalid value {text!r} for {flag}: {error}") from None
    return rows[0] if rows else []


def fields(flag: str, text: str) -> dict[str, str]:
    """``key=value,...`` as a dict, keys in lower case; raises UsageError for a bare word."""
    found: dict[str, str] = {}
    for field in split_csv(flag, text):
        key, equals, value = field.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"invalid field {field!r} in {flag} {text}: must be key=value")
        found[key.strip().lower()] = value
    return found


def pairs(flag: str, items: Iterable[str]) -> dict[str, str]:
    """``K=V`` each; ``K`` alone has the empty value (--label)."""
    found = {}
    for item in items:
        key, _, value = item.partition("=")
        if not key:
            raise UsageError(f"invalid value {item!r} for {flag}", hint="expected key=value")
        found[key] = value
    return found


def named(flag: str, items: Iterable[str]) -> dict[str, str]:
    """``K=V`` each, both present (--build-context, --annotation)."""
    found = pairs(flag, items)
    for item in items:
        if "=" not in item or (item.endswith("=") and flag == "--build-context"):
            raise UsageError(f"invalid value {item!r} for {flag}", hint="expected name=value")
    return found


def variables(flag: str, items: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """``K=V`` each; ``K`` alone takes the environment's value and is dropped if it has none."""
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not key:
            raise UsageError(f"invalid value {item!r} for {flag}", hint="expected key=value")
        if equals:
            found[key] = value
        elif key in environ:
            found[key] = environ[key]
    return found


def output(text: str) -> Output:
    """One --output: ``type=...,dest=...``, a bare directory, or ``-`` (a tar on stdout)."""
    if text == "-":
        return Output("tar", "-")
    if "=" not in text and "," not in text:
        return Output("local", text)
    options = fields("--output", text)
    kind = options.pop("type", "")
    if not kind:
        raise UsageError("type is required for --output", hint="e.g. type=oci,dest=image.tar")
    if kind not in OUTPUT_TYPES:
        from jettison.cli.suggest import did_you_mean

        hint = did_you_mean(kind, OUTPUT_TYPES) or f"types are {', '.join(OUTPUT_TYPES)}"
        raise UsageError(f"unsupported type {kind!r} for --output", hint=hint)
    dest = options.pop("dest", "") or None
    if kind == "local" and dest in (None, "-"):
        raise UsageError("dest is required for --output type=local: a directory")
    if kind in ("oci", "tar"):
        dest = dest or "-"
    if kind == "docker" and dest is None:  # buildx loads it into the daemon
        kind = "image"
    if kind in ("image", "registry") and dest:
        raise UsageError(f"dest cannot be used with --output type={kind}")
    return Output(kind, dest, options)


def secret(text: str, environ: Mapping[str, str]) -> SecretSpec:
    """One --secret; without src or env the id names a variable, if there is one, else a file."""
    found = fields("--secret", text)
    _only("--secret", text, found, ("id", "type", "src", "source", "env"))
    kind = found.get("type", "")
    if kind not in ("", "file", "env"):
        raise UsageError(f"unsupported type {kind!r} for --secret", hint="types are file and env")
    name = found.get("id", "")
    if not name:
        raise UsageError(f"--secret {text} has no id", hint="expected id=NAME,src=FILE")
    path = found.get("src") or found.get("source") or None
    variable = found.get("env") or None
    if kind == "env" and variable is None:
        path, variable = None, path
    if path is None and variable is None:
        if kind == "env" or (kind == "" and name in environ):
            variable = name
        else:
            path = name
    return SecretSpec(name, path, variable)


def ssh(text: str) -> SshSpec:
    """One --ssh: ``default`` or ``ID[=SOCKET|KEY[,KEY...]]``."""
    name, equals, paths = text.partition("=")
    if not name or (equals and not paths):
        hint = "expected default, ID or ID=SOCKET|KEY[,KEY...]"
        raise UsageError(f"invalid value {text!r} for --ssh", hint=hint)
    return SshSpec(name, tuple(p for p in paths.split(",") if p))


def platforms(items: Iterable[str], host: Platform) -> tuple[Platform, ...]:
    """Comma-separated platforms, each once; ``local`` is this machine's.

    Raises UsageError for what is none, an empty one too, as BuildKit and buildx do.
    """
    found: dict[Platform, None] = {}
    for item in (word for text in items if text for word in text.split(",")):
        try:
            found[host if item == "local" else parse_platform(item, host)] = None
        except JettisonError as error:
            raise UsageError(error.message, hint=error.hint) from None
    return tuple(found)


def host_platform() -> Platform:
    """The platform of the machine this runs on."""
    import os

    from jettison.model.platform import make_platform

    return make_platform("linux", os.uname().machine)


def size(flag: str, text: str) -> int:
    """Bytes, as docker reads sizes: ``64m`` is 64 * 1024 * 1024."""
    match = re.match(_SIZE, text, re.IGNORECASE)
    if match is None:
        raise UsageError(f"invalid value {text!r} for {flag}", hint="expected a size like 64m")
    return int(float(match[1]) * 1024 ** _SIZES[(match[2] or "").lower()])


def ulimit(text: str) -> Ulimit:
    """``name=soft[:hard]``; -1 is unlimited."""
    name, _, limits = text.partition("=")
    soft, colon, hard = limits.partition(":")
    if name not in ULIMITS:
        from jettison.cli.suggest import did_you_mean

        raise UsageError(f"invalid ulimit type {name!r}", hint=did_you_mean(name, ULIMITS))
    try:
        low = int(soft)
        high = int(hard) if colon else low
    except ValueError:
        hint = "expected name=soft[:hard]"
        raise UsageError(f"invalid value {text!r} for --ulimit", hint=hint) from None
    if high != -1 and (low > high or low == -1):
        raise UsageError(f"--ulimit {text}: the soft limit is above the hard limit")
    return Ulimit(name=name, soft=low, hard=high)


def host(text: str) -> tuple[str, str]:
    """``name:address`` or ``name=address``; an IPv6 address may stand in brackets."""
    import ipaddress

    name, found, address = text.partition("=")
    if not found:
        name, found, address = text.partition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address == "host-gateway":
        hint = "there is no gateway without a daemon: give the address"
        raise UsageError("--add-host host-gateway is not supported", hint=hint)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        found = ""
    if not found or not name:
        raise UsageError(f"invalid value {text!r} for --add-host", hint="expected name:address")
    return name, address


def one_of(flag: str, text: str, known: tuple[str, ...], hint: str | None = None) -> str:
    """``text`` if it is among ``known``."""
    if text in known:
        return text
    from jettison.cli.suggest import did_you_mean

    hint = hint or did_you_mean(text, known) or f"expected one of {', '.join(known)}"
    raise UsageError(f"invalid value {text!r} for {flag}", hint=hint)


def _only(flag: str, text: str, found: Mapping[str, str], known: tuple[str, ...]) -> None:
    for key in found:
        if key not in known:
            from jettison.cli.suggest import did_you_mean

            hint = did_you_mean(key, known) or f"keys are {', '.join(known)}"
            raise UsageError(f"unexpected key {key!r} in {flag} {text}", hint=hint)


def one_platform(text: str | None) -> Platform | None:
    """A single platform (pull, run), None if none is asked for."""
    found = platforms([text] if text else [], host_platform())
    if len(found) > 1:
        raise UsageError(f"invalid value {text!r} for --platform", hint="one platform only")
    return found[0] if found else None
