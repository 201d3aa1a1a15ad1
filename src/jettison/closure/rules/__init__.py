"""All rules, in the order they are asked. What ld.so loads is in `closure.linker`."""

from __future__ import annotations

from jettison.closure.model import Rule
from jettison.closure.rules import (
    dlopen,
    gconv,
    golang,
    java,
    locale,
    node,
    nss,
    plugins,
    python,
    servers,
    shebang,
    timezone,
    tls,
)

RULES: tuple[Rule, ...] = (
    shebang.RULE,
    dlopen.RULE,
    nss.RULE,
    gconv.RULE,
    locale.RULE,
    timezone.RULE,
    tls.RULE,
    golang.RULE,
    plugins.RULE,
    servers.RULE,
    python.RULE,
    node.RULE,
    java.RULE,
)
