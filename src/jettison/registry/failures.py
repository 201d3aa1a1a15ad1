"""From what a registry answered to the error the user sees."""

from __future__ import annotations

import time
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


class RefusedError(AuthError):
    """A registry answered with 401 or 403, for all that was sent to it."""


class StatusError(RegistryError):
    """A registry answered with an error status that is neither 401, 403 nor 404.

    ``retry_after`` are the seconds that it asks to wait, if it does.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


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


def retry_after(text: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 section 10.2.3), None without one."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


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

    ``what`` names the thing that was asked for, e.g. ``docker.io/library/debian:12``; the message
    tells the registry's own words and the status.
    """
    status = response.status_code
    asked = retry_after(response.headers.get("Retry-After"))
    said = read_error(response)
    reason = f"{status} {clean(response.reason_phrase, 40)}".strip()
    text = f"{said} (status {status})" if said else reason
    if status in (401, 403):
        raise RefusedError(
            f"{what}: access denied: {text}",
            hint=f"check the name; if it is right, log in with: jettison login {host}",
        )
    if status == 404:
        raise NotFoundError(
            f"{what}: not found: {text}",
            hint="check the name and the tag; what is private may look as if it were not there: "
            f"jettison login {host}",
        )
    hint = None
    if status == 429:
        hint = f"{host} limits how often it may be asked; wait, or log in: jettison login {host}"
    elif status >= 500:
        hint = f"the fault is with {host}, or with a proxy before it; try again later"
    raise StatusError(f"{what}: {text}", status=status, hint=hint, retry_after=asked)
