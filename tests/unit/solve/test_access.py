"""Which secret goes where. Names and order are BuildKit's (source/http, source/git)."""

from __future__ import annotations

import base64

import pytest

from jettison.solve.access import Access


def no_agent(agent_id: str) -> str | None:
    return None


def of(secrets: dict[str, str]) -> Access:
    return Access({name: text.encode() for name, text in secrets.items()}.get, no_agent)


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({}, ""),
        ({"HTTP_AUTH_TOKEN_h.example": "t\n"}, "Bearer t"),
        ({"HTTP_AUTH_HEADER_h.example": "Basic x"}, "Basic x"),
        ({"HTTP_AUTH_HEADER_h.example": "Basic x", "HTTP_AUTH_TOKEN_h.example": "t"}, "Bearer t"),
        ({"HTTP_AUTH_TOKEN_h.example:8080": "t", "HTTP_AUTH_TOKEN": "t"}, ""),
        ({"HTTP_AUTH_TOKEN_other": "t"}, ""),
    ],
)
def test_http(secrets: dict[str, str], expected: str) -> None:
    assert of(secrets).http("http://h.example:8080/x") == expected


BASIC = "basic " + base64.b64encode(b"x-access-token:t").decode()


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({"GIT_AUTH_TOKEN": "t"}, BASIC),
        ({"GIT_AUTH_HEADER": "h", "GIT_AUTH_TOKEN": "t"}, "h"),
        ({"GIT_AUTH_HEADER": "h", "GIT_AUTH_TOKEN.h.example:8080": "t"}, BASIC),
        ({"GIT_AUTH_HEADER.h.example:8080": "own", "GIT_AUTH_TOKEN.h.example:8080": "t"}, "own"),
        ({"GIT_AUTH_HEADER.h.example": "no port", "GIT_AUTH_HEADER": "h"}, "h"),
    ],
)
def test_git(secrets: dict[str, str], expected: str) -> None:
    url = "http://h.example:8080/x.git"
    environ = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"}
    assert of(secrets).git(url, environ) == {
        **environ,
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_1": f"http.{url}.extraheader",
        "GIT_CONFIG_VALUE_1": f"Authorization: {expected}",
    }


def test_git_without_secrets() -> None:
    assert of({"GIT_AUTH_TOKEN.other": "t"}).git("https://h/x.git", {"A": "b"}) == {"A": "b"}


def test_a_token_for_github_serves_its_submodules() -> None:
    env = of({"GIT_AUTH_HEADER": "h"}).git("https://github.com/owner/name.git", {})
    assert env["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader"


@pytest.mark.parametrize("url", ["git@h.example:x.git", "ssh://git@h.example/x"])
def test_ssh_takes_the_agent(url: str) -> None:
    secrets = {"GIT_AUTH_TOKEN": b"t"}
    forwarded = Access(secrets.get, {"default": "/agent"}.get)
    assert forwarded.git(url, {"SSH_AUTH_SOCK": "/own"}) == {"SSH_AUTH_SOCK": "/agent"}
    assert Access(secrets.get, no_agent).git(url, {"SSH_AUTH_SOCK": "/own"}) == {
        "SSH_AUTH_SOCK": "/own"
    }
