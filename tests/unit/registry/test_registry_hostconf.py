"""registries.conf, buildkitd.toml and daemon.json; the examples follow their manuals."""

from pathlib import Path

import pytest

from jettison.errors import RegistryError
from jettison.registry.hostconf import with_host_configuration
from jettison.registry.hosts import endpoints
from jettison.registry.settings import Settings, TlsFiles


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    for name in ("etc/containers/registries.conf.d", "etc/buildkit", "etc/docker", "home"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path / "etc"


def read(etc: Path, **environ: str) -> Settings:
    home = {"HOME": str(etc.parent / "home"), **environ}
    return with_host_configuration(Settings(), home, etc)


def addresses(settings: Settings, host: str, path: str) -> list[str]:
    return [e.url("https", "x") for e in endpoints(host, path, settings)]


def test_no_file_says_nothing(etc: Path) -> None:
    assert read(etc) == Settings()


def test_containers(etc: Path) -> None:
    (etc / "containers/registries.conf").write_text(
        """
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "example.com/foo"
location = "internal.example/bar"
[[registry.mirror]]
location = "mirror.example:5000/foo"
insecure = true
[[registry.mirror]]
location = "second.example"
[[registry]]
location = "plain.example:5000"
insecure = true
[[registry]]
prefix = "*.evil.example"
blocked = true
[[registry]]
location = "pinned.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "nowhere.example"
"""
    )
    settings = read(etc)
    assert addresses(settings, "example.com", "foo/app") == [
        "https://mirror.example:5000/v2/foo/app/x",
        "https://second.example/v2/app/x",
        "https://internal.example/v2/bar/app/x",
    ]
    assert addresses(settings, "example.com", "food") == ["https://example.com/v2/food/x"]
    assert addresses(settings, "pinned.example", "app") == ["https://pinned.example/v2/app/x"]
    assert settings.insecure == {"mirror.example:5000", "plain.example:5000"}
    with pytest.raises(RegistryError, match=r"a.evil.example/app: .* blocks \*\.evil\.example"):
        addresses(settings, "a.evil.example", "app")


def test_drop_ins_the_users_own_file_and_a_named_one(etc: Path) -> None:
    def mirror(where: str) -> str:
        text = '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "%s"\n'
        return text % where

    def first(settings: Settings) -> str:
        return endpoints("docker.io", "library/a", settings)[0].address

    (etc / "containers/registries.conf").write_text(mirror("main"))
    assert first(read(etc)) == "main"
    (etc / "containers/registries.conf.d/1.conf").write_text(mirror("one"))
    (etc / "containers/registries.conf.d/2.conf").write_text(mirror("two"))
    assert first(read(etc)) == "two"
    own = etc.parent / "home/.config/containers"
    own.mkdir(parents=True)
    (own / "registries.conf").write_text(mirror("own"))
    assert first(read(etc)) == "own"
    (etc / "named").write_text(mirror("named"))
    assert first(read(etc, CONTAINERS_REGISTRIES_CONF=str(etc / "named"))) == "named"


def test_buildkit(etc: Path) -> None:
    (etc / "buildkit/buildkitd.toml").write_text(
        """
debug = true
[registry."docker.io"]
  mirrors = ["mirror.example:5000/hub", "http://plain.example/"]
[registry."10.0.0.1:5000"]
  http = true
  ca = ["/etc/ca.pem"]
  [[registry."10.0.0.1:5000".keypair]]
    key = "/etc/key.pem"
    cert = "/etc/cert.pem"
"""
    )
    settings = read(etc)
    assert [e.address for e in endpoints("docker.io", "library/a", settings)] == [
        "mirror.example:5000", "plain.example", "registry-1.docker.io",
    ]  # fmt: skip
    assert settings.insecure == {"plain.example", "10.0.0.1:5000"}
    files = TlsFiles(("/etc/ca.pem",), (("/etc/cert.pem", "/etc/key.pem"),))
    assert settings.tls == {"10.0.0.1:5000": files}


def test_docker(etc: Path) -> None:
    (etc / "docker/daemon.json").write_text(
        '{"registry-mirrors": ["https://mirror.example/"], "debug": true,'
        ' "insecure-registries": ["lab:5000", "10.0.0.0/8"]}'
    )
    settings = read(etc)
    assert endpoints("docker.io", "library/a", settings)[0].address == "mirror.example"
    assert len(endpoints("quay.io", "a", settings)) == 1
    assert settings.insecure == {"lab:5000"}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("containers/registries.conf", "[[registry", "is malformed"),
        ("containers/registries.conf", "registry = 5", "registry is not a list of tables"),
        ("containers/registries.conf", "[[registry]]\nblocked = true", "without prefix"),
        ("containers/registries.conf", '[[registry]]\nprefix = "a"\nblocked = "no"', "true or"),
        ("containers/registries.conf", "a = '\xff'", "is malformed"),
        ("buildkit/buildkitd.toml", "registry = 5", "registry is not a table"),
        ("buildkit/buildkitd.toml", "[registry]\na = 5", 'registry."a" is not a table'),
        ("docker/daemon.json", "{", "is malformed"),
        ("docker/daemon.json", "[" * 100_000, "is malformed"),
        ("docker/daemon.json", '{"registry-mirrors": [5]}', "a list of strings"),
        ("docker/daemon.json", '{"registry-mirrors": ["ftp://a"]}', "invalid mirror"),
        ("docker/daemon.json", '{"registry-mirrors": ["http://[a"]}', "invalid mirror"),
    ],
)
def test_malformed_files_are_named(etc: Path, file: str, text: str, message: str) -> None:
    (etc / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(RegistryError, match=message) as caught:
        read(etc)
    assert str(etc / file) in caught.value.message
