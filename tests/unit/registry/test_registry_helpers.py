"""The docker-credential-* protocol, spoken with real programs."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jettison.errors import AuthError
from jettison.registry.config import ConfigFile, Credential
from jettison.registry.helpers import Helper


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def write(directory: Path, name: str, body: str) -> Helper:
    script = directory / f"docker-credential-{name}"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return Helper(name)


def test_get_passes_the_server_and_reads_the_answer(install: Path) -> None:
    helper = write(install, "a", 'read s; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$s\\"}"')
    assert helper.get("https://index.docker.io/v1/") == ("get", "https://index.docker.io/v1/")


def test_store_passes_all(install: Path, tmp_path: Path) -> None:
    write(install, "a", f"cat >{tmp_path}/got").store("ghcr.io", "u", 'p"\\')
    assert (tmp_path / "got").read_text() == (
        '{"ServerURL": "ghcr.io", "Username": "u", "Secret": "p\\"\\\\"}'
    )


def test_list(install: Path) -> None:
    assert write(install, "a", """echo '{"https://ghcr.io":"u"}'""").list() == {
        "https://ghcr.io": "u"
    }


def test_nothing_found(install: Path) -> None:
    helper = write(install, "a", "echo credentials not found in native keychain; exit 1")
    assert helper.get("x") is None
    assert helper.erase("x") is False
    with pytest.raises(AuthError, match="store failed"):
        helper.store("x", "u", "p")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 'the keychain is locked'; exit 1", "get failed: the keychain is locked"),
        ("echo oops >&2; exit 3", "get failed: oops"),
        ("exit 3", "get failed: 3"),
        ("echo secret-and-garbage", "the answer is not a JSON object"),
        ('echo \'{"Username":"u"}\'', "the answer lacks Username or Secret"),
    ],
)
def test_failures_are_named(install: Path, body: str, message: str) -> None:
    with pytest.raises(AuthError) as caught:
        write(install, "a", body).get("x")
    assert message in caught.value.message
    assert "secret-and-garbage" not in caught.value.message


def test_the_helper_of_the_host_goes_before_the_one_for_all(install: Path) -> None:
    answer = """echo '{"Username":"%s","Secret":"s"}'"""
    write(install, "one", answer % "one")
    write(install, "all", answer % "all")
    path = install / "config.json"
    path.write_text('{"credHelpers": {"ghcr.io": "one"}, "credsStore": "all"}')
    assert ConfigFile(path).lookup("ghcr.io") == Credential("one", "s")
    assert ConfigFile(path).lookup("docker.io") == Credential("all", "s")


def test_an_identity_token_from_a_helper(install: Path) -> None:
    write(install, "a", """echo '{"Username":"<token>","Secret":"t"}'""")
    path = install / "config.json"
    path.write_text('{"credsStore": "a"}')
    assert ConfigFile(path).lookup("ghcr.io") == Credential(identity_token="t")


def test_what_a_helper_lacks_is_looked_for_in_auths(install: Path) -> None:
    write(install, "a", "echo credentials not found in native keychain; exit 1")
    path = install / "config.json"
    path.write_text('{"credsStore": "a", "auths": {"h": {"auth": "dTpw"}}}')
    assert ConfigFile(path).lookup("h") == Credential("u", "p")


@pytest.mark.parametrize("body", ["sleep 30", "sleep 30 & wait", "exec sleep 30 >&2"])
def test_a_helper_that_hangs_is_given_up(install: Path, body: str) -> None:
    helper = replace(write(install, "a", body), timeout=0.3)
    began = time.monotonic()
    with pytest.raises(AuthError, match=r"docker-credential-a get does not answer within 0\.3 s"):
        helper.get("x")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("body", ["exec yes", "exec yes >&2", "yes; echo never"])
def test_a_helper_without_end_takes_no_memory(install: Path, body: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    helper = replace(write(install, "a", body), timeout=5.0)
    with pytest.raises(AuthError):
        helper.get("x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_a_helper_that_reads_nothing(install: Path) -> None:
    helper = write(install, "a", 'exec <&-; echo \'{"Username":"u","Secret":"s"}\'')
    assert helper.get("x" * 1_000_000) == ("u", "s")
