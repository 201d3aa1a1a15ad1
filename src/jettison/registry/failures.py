"""From what a registry answered to the error the user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from jettison.errors import AuthError, NotFoundError, RegistryError

if TYPE_CHECKING:
    import httpx

MAX_ERROR_BODY = 64 << 10
"""Bytes of an error's body that are read."""


class LostConnectionError(RegistryError):
    """No whole answer came: refused, cut, timed out, or not trusted.

    ``passing`` says whether trying again may help.
    """

    def __init__(self, message: str, *, passing: bool = True, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.passing = passing


class StatusError(RegistryError):
    """A registry answered with an error status that is neither 401, 403 nor 404."""

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def clean(text: str, limit: int = 300) -> str:
    """Text from a server made safe to show: one line, no control characters, not endless."""
    shown = "".join(c if c.isprintable() else " " for c in text[: limit * 2])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def error_text(body: bytes) -> str:
    """What an error body says: ``CODE: message`` of each error (distribution spec, "Error
    codes"), the ``details``/``message``/``error`` of others, or nothing.
    """
    import json

    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    if isinstance(errors, list):
        return clean("; ".join(filter(None, (_one_error(e) for e in errors[:5]))))
    for key in ("error_description", "details", "message", "error"):
        if isinstance(document.get(key), str):
            return clean(document[key])
    return ""


def _one_error(error: object) -> str:
    if not isinstance(error, dict):
        return ""
    parts = [str(error.get(key) or "") for key in ("code", "message")]
    return ": ".join(part for part in parts if part)


def read_error(response: httpx.Response) -> str:
    """What the body of an error response says; closes the response; never raises."""
    import httpx

    data = b""
    try:
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > MAX_ERROR_BODY:
                break
    except (httpx.HTTPError, httpx.StreamError):
        pass
    finally:
        response.close()
    return error_text(data)


def refuse(response: httpx.Response, host: str, what: str) -> NoReturn:
    """Raise the error that ``response`` (an unexpected status) stands for.

    ``what`` names the thing that was asked for, e.g. ``debian:12``.
    """
    status = response.status_code
    said = read_error(response)
    reason = f"{status} {clean(response.reason_phrase, 40)}".strip()
    text = f"{what}: {said or reason}"
    if status in (401, 403):
        raise AuthError(
            f"{what}: access denied ({said or reason})",
            hint=f"check the name; if it is right, log in with: jettison login {host}",
        )
    if status == 404:
        raise NotFoundError(
            f"{what}: not found" + (f" ({said})" if said else ""),
            hint="check the name and the tag",
        )
    hint = None
    if status == 429:
        hint = f"{host} limits how often it may be asked; wait, or log in: jettison login {host}"
    raise StatusError(f"{text} (status {status})" if said else text, status=status, hint=hint)
