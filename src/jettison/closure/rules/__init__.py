"""All rules, in the order they are asked. Those of ELF loading are in `closure.linker`."""

from __future__ import annotations

from jettison.closure.model import Rule
from jettison.closure.rules import dlopen, shebang

RULES: tuple[Rule, ...] = (shebang.RULE, dlopen.RULE)
