"""Secrets and ssh agents of a build, as its RUN steps may use them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from jettison.app.request import SecretSpec, SshSpec
from jettison.errors import UsageError

_MAX_SECRET = 500 << 10
"""Bytes; BuildKit's limit."""


def secret_reader(
    specs: Sequence[SecretSpec], environ: Mapping[str, str]
) -> Callable[[str], bytes | None]:
    """A function from a secret's id to its value, read when first asked for.

    Raises UsageError at once for a secret whose file or variable does not exist.
    """
    values: dict[str, bytes] = {}
    for spec in specs:
        values[spec.id] = _value(spec, environ)
    return values.get


def _value(spec: SecretSpec, environ: Mapping[str, str]) -> bytes:
    if spec.path is not None:
        try:
            with open(spec.path, "rb") as file:
                data = file.read(_MAX_SECRET + 1)
        except OSError as error:
            raise UsageError(
                f"cannot read secret {spec.id}: {spec.path}: {error.strerror}"
            ) from None
    else:
        name = spec.env or spec.id
        if name not in environ:
            raise UsageError(f"secret {spec.id}: environment variable {name} is not set")
        data = environ[name].encode("utf-8", "surrogateescape")
    if len(data) > _MAX_SECRET:
        raise UsageError(f"secret {spec.id} is larger than {_MAX_SECRET >> 10} KiB")
    return data


class Agents:
    """The ssh agents of a build, started when a step first asks; ``stack`` ends them."""

    def __init__(
        self, specs: Sequence[SshSpec], environ: Mapping[str, str], stack: ExitStack, scratch: str
    ) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self._environ = environ
        self._stack = stack
        self._scratch = scratch
        self._sockets: dict[str, str] = {}
        self._lock = threading.Lock()

    def socket(self, agent_id: str) -> str | None:
        """The socket of an agent; None if the build was given none of that id."""
        from jettison.sandbox.ssh import agent

        spec = self._specs.get(agent_id)
        if spec is None:
            return None
        with self._lock:
            if agent_id not in self._sockets:
                self._sockets[agent_id] = self._stack.enter_context(
                    agent(spec.paths, self._environ, scratch=self._scratch)
                )
            return self._sockets[agent_id]
