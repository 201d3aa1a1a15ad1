"""Authorised requests to one repository at one endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jettison.registry.auth import Authorizer
from jettison.registry.config import CredentialSource
from jettison.registry.failures import LostConnectionError, refuse
from jettison.registry.hosts import Endpoint, origin
from jettison.registry.transport import Body, Transport

if TYPE_CHECKING:
    import httpx


class Session:
    """Adds Authorization to requests, answers challenges, turns bad statuses into errors."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: CredentialSource,
        transport: Transport,
        *,
        offline: bool = False,
    ) -> None:
        """``offline``: have an identity token given, to keep in the place of a password."""
        self.endpoint = endpoint
        self.transport = transport
        self._scheme = transport.scheme(endpoint.address)
        self._origin = origin(self.base_url())
        self._auth = Authorizer(
            endpoint, credentials, transport, plain=self._scheme == "http", offline=offline
        )

    @property
    def identity_token(self) -> str:
        """The identity token that came with the last token, if any."""
        return self._auth.identity_token

    def base_url(self) -> str:
        """The URL of ``/v2/``, which tells whether the registry lets one in."""
        return f"{self._scheme}://{self.endpoint.address}/v2/"

    def url(self, *parts: str) -> str:
        """The URL of ``/v2/<repository>/<parts…>`` here."""
        return self.endpoint.url(self._scheme, *parts)

    def scope(self, actions: str, path: str | None = None) -> str:
        """The token scope for ``actions`` (``pull``, ``pull,push``) on this repository."""
        return f"repository:{path or self.endpoint.path}:{actions}"

    def request(
        self,
        method: str,
        url: str,
        *,
        scopes: Iterable[str],
        what: str,
        expect: Iterable[int] = (200,),
        headers: Mapping[str, str] | None = None,
        content: Body = None,
    ) -> httpx.Response:
        """The response, if its status is in ``expect``; its body is unread: read or close it.

        ``what`` names in errors what is asked for. A body that can be sent only once is not sent
        again after a challenge. Raises NotFoundError, AuthError or RegistryError.
        """
        wanted = frozenset(scopes)
        ours = origin(url) == self._origin
        once = content is not None and not isinstance(content, bytes)
        for last in (False, True):
            sent = self._auth.header(wanted) if ours else None
            full = {**(headers or {}), **({"Authorization": sent} if sent else {})}
            try:
                response = self.transport.request(method, url, headers=full, content=content)
            except LostConnectionError as error:
                raise LostConnectionError(
                    f"{what}: {error.message}", passing=error.passing, hint=error.hint
                ) from None
            if response.status_code in expect:
                return response
            # A challenge counts only if it comes from the registry, not from where it led.
            here = origin(str(response.url)) == self._origin
            if response.status_code != 401 or not here:
                break
            if last and not (sent or "").startswith("Basic "):
                break
            challenges = response.headers.get_list("WWW-Authenticate")
            response.close()
            self._auth.challenged(sent, challenges, wanted)
            if once:
                raise ResendError("sent once")
        refuse(response, self.endpoint.host, what)


class ResendError(Exception):
    """A 401 came after a body that can be sent only once; send it again."""
