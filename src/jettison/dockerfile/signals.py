"""Signal names of STOPSIGNAL."""

from __future__ import annotations

import re

from jettison.dockerfile.suggest import nearest
from jettison.errors import DockerfileError
from jettison.model.span import Span

_NAMES = frozenset(
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT "
    "STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX".split()
)
_REAL_TIME = r"RTMIN\+([1-9]|1[0-5])|RTMAX-([1-9]|1[0-4])"
_NUMBER = r"[+-]?[0-9]{1,18}"


def check_signal(signal: str, span: Span | None = None) -> None:
    """Raise DockerfileError unless ``signal`` names a Linux signal.

    A name counts in any case, with or without ``SIG`` (``RTMIN+n`` up to 15, ``RTMAX-n`` up to
    14); of numbers every one but 0 does, as in moby's ``signal.ParseSignal``.
    """
    if re.fullmatch(_NUMBER, signal):
        if int(signal) != 0:
            return
        raise DockerfileError(f"invalid signal: {signal}", span=span)
    name = signal.upper().removeprefix("SIG")
    if name in _NAMES or re.fullmatch(_REAL_TIME, name):
        return
    found = nearest(name, sorted(_NAMES))
    hint = f"did you mean SIG{found}?" if found else "give a number or a name such as SIGTERM"
    raise DockerfileError(f"invalid signal: {signal}", hint=hint, span=span)
