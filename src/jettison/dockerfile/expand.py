"""Variable expansion and quote removal."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.dockerfile.lexer import Expanded, ExpansionError, Lexer
from jettison.dockerfile.text import quoted
from jettison.errors import DockerfileError
from jettison.model.span import Span


class Expander:
    """Expands the words of one instruction.

    ``escape`` is the Dockerfile's escape character, ``span`` where errors are located. Names that
    were looked up are collected in order: ``unset`` those without a value, ``used`` the others.
    """

    def __init__(self, escape: str = "\\", span: Span | None = None) -> None:
        self.unset: dict[str, None] = {}
        self.used: dict[str, None] = {}
        self._escape = escape
        self._span = span

    def word(self, text: str, env: Mapping[str, str]) -> str:
        """Expand ``text`` and remove quotes and escapes; blanks stay.

        Raises DockerfileError for unbalanced quotes, malformed substitutions and ``${name:?}``.
        """
        if not any(char in text for char in ("$", "'", '"', self._escape, "\ufeff")):
            return text
        return self._lexed(Lexer(text, env, escape=self._escape)).text()

    def words(self, text: str, env: Mapping[str, str]) -> list[str]:
        """Like `word`, but split at blanks outside of quotes, also those of values."""
        return self._lexed(Lexer(text, env, escape=self._escape)).words()

    def heredoc(self, text: str, env: Mapping[str, str]) -> str:
        """Expand the body of a here-document.

        Quotes stay; the escape character is the backslash, whatever the Dockerfile's is.
        """
        if "$" not in text and "\\" not in text and "\ufeff" not in text:
            return text
        return self._lexed(Lexer(text, env, escape="\\", keep_quotes=True)).text()

    def _lexed(self, lexer: Lexer) -> Expanded:
        try:
            return lexer.run()
        except ExpansionError as error:
            message = f"failed to process {quoted(lexer.text)}: {error}"
            raise DockerfileError(message, hint=_hint(str(error)), span=self._span) from None
        finally:
            self.unset.update(lexer.unset)
            self.used.update(lexer.used)


def _hint(message: str) -> str | None:
    if "quote" in message:
        return "close the quote, or escape it to have it literally"
    if "bad substitution" in message or "modifier" in message:
        return "supported are ${name} with :- - :+ + :? ? # ## % %% / and //"
    return None
