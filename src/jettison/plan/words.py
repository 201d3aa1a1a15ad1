"""The words of one instruction, expanded against the variables before it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jettison.dockerfile.expand import Expander
from jettison.errors import DockerfileError
from jettison.model.span import Span

_PLAIN = r"\$(?:(\w+)|\{(\w+)\})"


class Words:
    """Expands words with the variables ``env``; what cannot be is a DockerfileError at ``span``."""

    def __init__(self, escape: str, env: Mapping[str, str], span: Span) -> None:
        self.span = span
        self._env = env
        self._expander = Expander(escape, span)

    @property
    def undefined(self) -> list[str]:
        """The variables met so far that are not set."""
        return list(self._expander.unset)

    @property
    def matched(self) -> list[str]:
        """The variables met so far that are set."""
        return list(self._expander.used)

    def word(self, text: str) -> str:
        return self._expander.word(text, self._env)

    def word_or_none(self, text: str) -> str | None:
        """The expanded word, None if it cannot be."""
        try:
            return self.word(text)
        except DockerfileError:
            return None

    def words(self, text: str) -> list[str]:
        return self._expander.words(text, self._env)

    def heredoc(self, text: str) -> str:
        return self._expander.heredoc(text, self._env)

    def shown(self, text: str) -> str:
        """``text`` for people: variables that are set replaced, everything else as written."""
        return re.sub(_PLAIN, lambda match: self._env.get(match[1] or match[2], match[0]), text)
