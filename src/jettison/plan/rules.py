"""The build checks made while planning: BuildKit's rules and how they word what they find."""

from __future__ import annotations

import re

RULES = {
    "StageNameCasing": "a stage name is compared in lower case, so write it so",
    "FromAsCasing": "FROM and AS read best in the same case",
    "NoEmptyContinuation": "an empty line inside a continued instruction is easily a mistake",
    "ConsistentInstructionCasing": "instructions read best if all are upper case or all lower case",
    "DuplicateStageName": "of two stages with one name only the later can be referred to",
    "ReservedStageName": "scratch and context mean something else where stages are named",
    "JSONArgsRecommended": "a shell in front of the program does not pass signals on to it",
    "MaintainerDeprecated": "the label org.opencontainers.image.authors has replaced MAINTAINER",
    "UndefinedArgInFrom": "FROM sees only the ARGs before the first FROM",
    "WorkdirRelativePath": "it depends on the working directory of the base image",
    "UndefinedVar": "a variable that is not set expands to nothing",
    "MultipleInstructionsDisallowed": "only the last one in a stage has an effect",
    "LegacyKeyValueFormat": "the form without = takes the whole rest of the line as the value",
    "InvalidBaseImagePlatform": "programs of another platform do not run in this build",
    "RedundantTargetPlatform": "FROM takes the target platform by itself",
    "SecretsUsedInArgOrEnv": "ARG and ENV can be read from the image; use RUN --mount=type=secret",
    "InvalidDefaultArgInFrom": "without --build-arg the name of the base image is not valid",
    "FromPlatformFlagConstDisallowed": "a fixed platform makes an image for that platform only",
    "CopyIgnoredFile": ".dockerignore hides this path from the build",
    "InvalidDefinitionDescription": "a comment above a stage or an ARG should describe it by name",
    "ExposeProtoCasing": "a protocol is written in lower case",
    "ExposeInvalidFormat": "what the host publishes is decided when a container is started",
}
"""BuildKit's rules (``linter/ruleset.go``) and why each matters."""

EXPERIMENTAL = frozenset({"InvalidDefinitionDescription"})
"""Rules that are off unless asked for."""

_ADDRESS = "https://docs.docker.com/go/dockerfile/rule/"
_HUMP = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_SECRET = r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)"
_NO_SECRET = r"(?:_|^)(?:public|file|version)(?:_|$)"


def url_of(rule: str) -> str | None:
    """The page that explains ``rule``."""
    if rule == "InvalidBaseImagePlatform":
        return None
    return f"{_ADDRESS}{re.sub(_HUMP, '-', rule).lower()}/"


def names_a_secret(key: str) -> bool:
    """Whether a variable of this name looks like it holds something secret."""
    looks_so = re.search(_SECRET, key, re.IGNORECASE)
    return bool(looks_so) and not re.search(_NO_SECRET, key, re.IGNORECASE)
