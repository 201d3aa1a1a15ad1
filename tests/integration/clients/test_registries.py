"""Real registries between builds, pulls, runs and other people's clients."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.clients.conftest import OUTPUT
from tests.integration.support.engines import Engine
from tests.integration.support.layouts import Layout
from tests.integration.support.runner import Jettison, problems
from tests.integration.support.server import PASSWORD, USER, Registry

pytestmark = pytest.mark.root

HELPER = """#!/bin/sh
# Knows one registry; says what it was asked on standard error.
read -r server
[ "$1" = get ] && [ "$server" = "{host}" ] || {{
  echo credentials not found in native keychain; exit 1; }}
echo '{{"ServerURL": "{host}", "Username": "{user}", "Secret": "{password}"}}'
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Jettison:
    """The command line on a store that is empty and stays this test's own."""
    return Jettison(tmp_path / "elsewhere")


@pytest.fixture
def by_config(tls_registry: Registry, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has logged in: a password in Docker's config.json."""
    directory = tmp_path / "docker-config"
    directory.mkdir()
    packed = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    document = {"auths": {tls_registry.host: {"auth": packed}}}
    (directory / "config.json").write_text(json.dumps(document))
    return {"DOCKER_CONFIG": str(directory), "SSL_CERT_FILE": str(tls_registry.ca)}


@pytest.fixture
def by_helper(tls_registry: Registry, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose password a credential helper keeps."""
    directory, programs = tmp_path / "docker-helper", tmp_path / "bin"
    directory.mkdir()
    programs.mkdir()
    script = programs / "docker-credential-vault"
    script.write_text(HELPER.format(host=tls_registry.host, user=USER, password=PASSWORD))
    script.chmod(0o755)
    (directory / "config.json").write_text('{"credsStore": "vault"}')
    return {
        "DOCKER_CONFIG": str(directory),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SSL_CERT_FILE": str(tls_registry.ca),
    }


@pytest.mark.parametrize(
    "output",
    [
        ["--push", "-t", "{name}"],
        ["--output", "type=registry", "-t", "{name}"],
        ["--output", "type=registry,name={name}"],
        ["--output", "type=image,push=true,name={name}"],
        [
            "--output",
            "type=image,push=true,compression=zstd,force-compression=true",
            "-t",
            "{name}",
        ],
    ],
    ids=["push", "registry", "registry-name", "image-push", "zstd"],
)
def test_a_build_is_pushed_pulled_elsewhere_and_run(
    jettison: Jettison,
    elsewhere: Jettison,
    app: Path,
    registry: Registry,
    output: list[str],
    request: pytest.FixtureRequest,
) -> None:
    name = registry.name(f"pushed/{request.node.callspec.id}:1")
    jettison.build(app, *(word.format(name=name) for word in output))
    seen = registry.inspect(name.partition("/")[2])
    assert "WHO=world" in seen["Env"]
    assert elsewhere("pull", name).stdout.split() == [name]
    assert elsewhere.names() == [name]
    assert elsewhere.inspect(name)["Digest"] == seen["Digest"]
    assert elsewhere("run", name).stdout == OUTPUT
    assert problems(elsewhere.store) == []


def test_a_push_alone_leaves_nothing_in_the_store(
    jettison: Jettison, app: Path, registry: Registry
) -> None:
    before = jettison.names()
    flags = ("--label", "only=pushed", "--output", "type=registry")
    jettison.build(app, *flags, "-t", registry.name("alone:1"))
    assert jettison.names() == before
    assert registry.inspect("alone:1")["Labels"] == {"only": "pushed"}


@pytest.mark.parametrize("known_by", ["by_config", "by_helper"])
def test_a_registry_with_tls_and_a_password(
    jettison: Jettison,
    elsewhere: Jettison,
    app: Path,
    context: Callable[..., Path],
    tls_registry: Registry,
    known_by: str,
    request: pytest.FixtureRequest,
) -> None:
    user: dict[str, str] = request.getfixturevalue(known_by)
    name = tls_registry.name(f"{known_by}/app:1")
    jettison("tag", "app:1", name)
    jettison.having(user)("push", name)
    assert tls_registry.inspect(f"{known_by}/app:1")["Digest"] == jettison.inspect(name)["Digest"]
    elsewhere.having(user)("pull", "-q", name)
    assert elsewhere("run", name).stdout == OUTPUT
    # FROM and COPY --from of an image there, in a store that does not have it.
    third = Jettison(elsewhere.store.with_name("third"))
    directory = context(
        f"FROM {name}\nCOPY --from={tls_registry.host}/{known_by}/app:1 /greeting /copied\n"
    )
    third.having(user).build(directory, "-t", "derived")
    assert third("run", "--entrypoint", "cat", "derived", "/copied").stdout == "hello\n"
    assert problems(third.store) == []


def test_without_a_password_the_registry_says_no(
    jettison: Jettison, app: Path, context: Callable[..., Path], tls_registry: Registry
) -> None:
    stranger = {"DOCKER_CONFIG": "/nonexistent", "SSL_CERT_FILE": str(tls_registry.ca)}
    name = tls_registry.name("private:1")
    done = jettison.having(stranger).build(app, "--push", "-t", name, check=False)
    assert done.returncode == 1
    assert "jettison login" in done.stderr
    done = jettison.having(stranger).build(context(f"FROM {name}\n"), check=False)
    assert done.returncode == 1
    assert "jettison login" in done.stderr
    assert "Dockerfile:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_login_keeps_what_push_then_uses(
    jettison: Jettison, app: Path, tls_registry: Registry, tmp_path: Path
) -> None:
    user = {"DOCKER_CONFIG": str(tmp_path / "d"), "SSL_CERT_FILE": str(tls_registry.ca)}
    flags = ("--username", USER, "--password-stdin")
    address = f"https://{tls_registry.host}/v2/"  # what people copy; the host is meant
    jettison.having(user)("login", *flags, address, stdin=f"{PASSWORD}\n".encode())
    assert (tmp_path / "d/config.json").stat().st_mode & 0o777 == 0o600
    jettison.having(user).build(app, "--push", "-t", tls_registry.name("login:1"))
    jettison.having(user)("logout", tls_registry.host)
    name = tls_registry.name("login:2")
    assert jettison.having(user).build(app, "--push", "-t", name, check=False).returncode == 1


def test_a_token_registry(
    jettison: Jettison, elsewhere: Jettison, app: Path, token_registry: Registry, tmp_path: Path
) -> None:
    packed = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "d").mkdir()
    document = {"auths": {token_registry.host: {"auth": packed}}}
    (tmp_path / "d/config.json").write_text(json.dumps(document))
    name = token_registry.name("public/app:1")
    jettison.build(app, "--push", "-t", name, DOCKER_CONFIG=str(tmp_path / "d"))
    elsewhere("pull", name, DOCKER_CONFIG="/nonexistent")  # public: anonymous tokens will do
    assert elsewhere("run", name).stdout == OUTPUT


def test_two_platforms_are_pushed_as_an_index(
    jettison: Jettison,
    elsewhere: Jettison,
    context: Callable[..., Path],
    registry: Registry,
    tmp_path: Path,
) -> None:
    layout = Layout(tmp_path / "base")
    layout.tag("1", layout.index({a: layout.image([[]], arch=a) for a in ("amd64", "arm64")}))
    registry.load(layout.path, "1", "multi/base:1")
    directory = context(
        f"FROM {registry.name('multi/base:1')}\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n",
        amd64="for amd64\n",
        arm64="for arm64\n",
    )
    name = registry.name("multi/app:1")
    platforms = "linux/amd64,linux/arm64"
    jettison.build(directory, "--platform", platforms, "--push", "-t", name)
    raw = json.loads(registry.skopeo("inspect", "--raw", f"docker://{name}"))
    assert raw["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert [m["platform"]["architecture"] for m in raw["manifests"]] == ["amd64", "arm64"]
    registry.save("multi/app:1", tmp_path / "copy")  # skopeo verifies every digest
    assert problems(tmp_path / "copy") == []
    elsewhere("pull", "--all-platforms", name)
    for arch in ("amd64", "arm64"):
        files = f"type=local,dest={tmp_path}/{arch}"
        again = context(f"FROM {name}\n")
        elsewhere.build(again, "--platform", f"linux/{arch}", "-o", files)
        assert (tmp_path / arch / "arch").read_text() == f"for {arch}\n"
    assert elsewhere.inspect(name)["Architecture"] == "amd64"
    assert problems(elsewhere.store) == []


def test_docker_pulls_what_was_pushed(
    jettison: Jettison, app: Path, registry: Registry, docker: Engine
) -> None:
    name = registry.name("for-docker:1")
    jettison.build(app, "--push", "-t", name, "-o", "type=image,oci-mediatypes=false")
    raw = json.loads(registry.skopeo("inspect", "--raw", f"docker://{name}"))
    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    docker("pull", name)
    assert docker.run(name) == OUTPUT
    docker("rmi", name)


def test_docker_pushes_what_is_pulled(
    jettison: Jettison, elsewhere: Jettison, app: Path, registry: Registry, docker: Engine,
    tmp_path: Path,
) -> None:  # fmt: skip
    name = registry.name("by-docker:1")
    jettison.build(app, "-o", f"type=docker,dest={tmp_path}/a.tar,name={name}")
    docker("load", "-i", tmp_path / "a.tar")
    docker("push", name)
    docker("rmi", name)
    elsewhere("pull", name)
    assert elsewhere("run", name).stdout == OUTPUT
    digest = elsewhere.inspect(name)["Digest"]
    repository = name.rpartition(":")[0]
    elsewhere("rm", name)
    elsewhere("pull", f"{repository}@{digest}")
    assert elsewhere("run", f"{repository}@{digest}").stdout == OUTPUT
