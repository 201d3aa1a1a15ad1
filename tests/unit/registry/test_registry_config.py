"""config.json and auth.json in all the forms they come in."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import AuthError
from jettison.registry.config import (
    ConfigFile,
    Credential,
    Credentials,
    docker_config,
    normal_key,
    podman_config,
)
from jettison.registry.login import registry_host


def packed(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def written(tmp_path: Path, document: object) -> ConfigFile:
    path = tmp_path / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return ConfigFile(path)


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("http://localhost:5000/v2/", "localhost:5000"),
        ("quay.io/team", "quay.io/team"),
    ],
)
def test_keys(key: str, host: str) -> None:
    assert normal_key(key) == host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://ghcr.io/some/path", "ghcr.io"),
        (" localhost:5000 ", "localhost:5000"),
    ],
)
def test_host_of_a_login(text: str, host: str) -> None:
    assert registry_host(text) == host


def test_entries(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "auths": {
                "https://index.docker.io/v1/": packed("hub", "a:b:c"),
                "ghcr.io": {"identitytoken": "token", **packed("me", "")},
                "plain.example": {"username": "u", "password": "p"},
                "token.example": {"registrytoken": "r"},
                "desktop.example": {},
            }
        },
    )
    assert file.lookup("docker.io") == Credential("hub", "a:b:c")
    assert file.lookup("ghcr.io") == Credential("me", "", "token")
    assert file.lookup("plain.example") == Credential("u", "p")
    assert file.lookup("token.example") == Credential(registry_token="r")
    assert file.lookup("desktop.example") is None
    assert file.lookup("other.example") is None


def test_the_longest_path_counts(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "auths": {
                "quay.io": packed("host", "1"),
                "quay.io/team": packed("team", "2"),
                "quay.io/team/app": packed("app", "3"),
            }
        },
    )
    users = {path: file.lookup("quay.io", path) for path in ("team/app", "team/x", "teams", "x/y")}
    assert {path: c and c.username for path, c in users.items()} == {
        "team/app": "app", "team/x": "team", "teams": "host", "x/y": "host",
    }  # fmt: skip


def test_a_missing_or_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert ConfigFile(tmp_path / "none" / "config.json").lookup("docker.io") is None
    assert written(tmp_path, " \n").lookup("docker.io") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "auths": {,}\n}', "config.json:2:12: malformed JSON"),
        ("[]", "expected a JSON object"),
        ('{"auths": []}', "auths is not a JSON object"),
        ('{"auths": {"h": "x"}}', "auths['h'] is not a JSON object"),
        ('{"auths": {"h": {"auth": 5}}}', "auths['h'].auth is not a string"),
        ('{"auths": {"h": {"auth": "!!"}}}', "auths['h'].auth is not base64 of user:password"),
        ('{"auths": {"h": {"auth": "YWI="}}}', "auths['h'].auth is not base64 of user:password"),
        ('{"credHelpers": {"h": 1}}', "credHelpers['h'] is not a string"),
        ('{"credHelpers": 1}', "credHelpers is not a JSON object"),
        ('{"credsStore": ["x"]}', "credsStore is not a string"),
        ('{"credsStore": "../evil"}', "invalid name of a credential helper"),
        ('{"credsStore": "absent"}', "docker-credential-absent is not on PATH"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_malformed_files_are_named_and_located(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AuthError) as caught:
        written(tmp_path, text).lookup("h")
    assert message in caught.value.message


def test_errors_and_reprs_show_no_secret(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as caught:
        written(tmp_path, '{"auths": {"h": {"password": "hunter2" oops}}}').lookup("h")
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint} {caught.value.span}"
    assert "hunter2" not in repr(Credential("u", "hunter2", "hunter2", "hunter2"))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]":,auths\\u01\x00', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    try:
        ConfigFile(path).lookup("docker.io", "library/x")
    except AuthError as error:
        assert str(path) in error.message


def test_the_first_file_with_an_entry_counts(tmp_path: Path) -> None:
    docker, podman = tmp_path / "docker", tmp_path / "run" / "containers"
    docker.mkdir()
    podman.mkdir(parents=True)
    (docker / "config.json").write_text(json.dumps({"auths": {"a": packed("d", "1")}}))
    both = {"auths": {"a": packed("p", "2"), "b": packed("p", "3")}}
    (podman / "auth.json").write_text(json.dumps(both))
    environ = {"DOCKER_CONFIG": str(docker), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    found = Credentials.from_environment(environ)
    assert found.lookup("a", "x") == Credential("d", "1")
    assert found.lookup("b", "x") == Credential("p", "3")
    assert found.lookup("c", "x") is None


def test_where_the_files_are() -> None:
    assert docker_config({"HOME": "/home/u"}) == Path("/home/u/.docker/config.json")
    assert docker_config({"HOME": "/h", "DOCKER_CONFIG": "/d"}) == Path("/d/config.json")
    assert podman_config({}) == Path(f"/run/containers/{os.getuid()}/auth.json")


def test_saving_goes_through_a_link_and_leaves_nothing_else(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "config.json").write_text('{"auths": {"index.docker.io": {}}, "x": [1]}')
    link = tmp_path / "config.json"
    link.symlink_to(real / "config.json")
    file = ConfigFile(link)
    file.put("docker.io", packed("u", "p"))
    file.save()
    assert link.is_symlink() and os.listdir(real) == ["config.json"]
    assert json.loads((real / "config.json").read_text()) == {
        "auths": {"https://index.docker.io/v1/": packed("u", "p")}, "x": [1],
    }  # fmt: skip


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = ConfigFile(tmp_path / "file" / "config.json")
    file.put("h", {})
    with pytest.raises(AuthError, match=r"cannot write .*config.json"):
        file.save()
