"""Credentials: real registries that want them, real helpers, and where they must not go."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from jettison.errors import AuthError, RegistryError
from jettison.registry.client import RegistryClient
from jettison.registry.config import ConfigFile, Credential, Credentials
from jettison.registry.login import login, logout
from jettison.registry.pull import pull
from jettison.registry.push import push
from jettison.registry.settings import Settings
from jettison.store.store import Store
from tests.integration.registry.common import Fixed, LayoutSource, as_descriptor, ref
from tests.integration.registry.conftest import FAST
from tests.integration.support.certs import Pair, make_server_pair
from tests.integration.support.faults import Fault, FaultProxy, run_fault_proxy
from tests.integration.support.layouts import Layout, tiny_image
from tests.integration.support.server import PASSWORD, USER, Registry, run_registry
from tests.integration.support.tokens import REFRESH_TOKEN, TokenServer

HELPER = """#!/bin/sh
# keeps each server's credentials in a file of $HELPER_DIR
dir=${HELPER_DIR:?}
read -r line
case $1 in
  store) name=$(printf %s "$line" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/' | tr / _)
         printf '%s' "$line" >"$dir/$name";;
  get|erase) file=$dir/$(printf %s "$line" | tr / _)
         [ -f "$file" ] || { echo credentials not found in native keychain; exit 1; }
         if [ "$1" = get ]; then cat "$file"; else rm "$file"; fi;;
  list) echo '{"one": "ada"}';;
  *) exit 2;;
esac
"""


@pytest.fixture
def image(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "image")
    layout.tag("1", tiny_image(layout, "content"))
    return layout


@pytest.fixture
def certs(tmp_path: Path, tls_registry: Registry) -> Settings:
    """Settings with a certs.d that trusts the CA of ``tls_registry``."""
    directory = tmp_path / "certs.d" / tls_registry.host
    directory.mkdir(parents=True)
    assert tls_registry.ca is not None
    shutil.copy(tls_registry.ca, directory / "ca.crt")
    return replace(FAST, certs=tmp_path / "certs.d")


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper named ``test`` on PATH; the directory where it keeps things."""
    bin_dir, kept = tmp_path / "helpers", tmp_path / "kept"
    bin_dir.mkdir()
    kept.mkdir()
    script = bin_dir / "docker-credential-test"
    script.write_text(HELPER)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    monkeypatch.setenv("HELPER_DIR", str(kept))
    return kept


def config_with(directory: Path, document: object) -> ConfigFile:
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(document))
    return ConfigFile(directory / "config.json")


def pulled(settings: Settings, credentials: Fixed | Credentials, name: str, store: Store) -> None:
    with RegistryClient(settings, credentials) as client:
        pull(client, ref(name), store.blobs, lambda d: store.names.set(name, d))
    assert store.names.get(name) is not None


def test_tls_and_password(
    tls_registry: Registry, certs: Settings, image: Layout, store: Store
) -> None:
    tls_registry.load(image.path, "1", "app:1")
    known = Fixed.of(tls_registry.host, USER, PASSWORD)
    pulled(certs, known, tls_registry.name("app:1"), store)


def test_a_wrong_password_is_tried_once_and_named(tls_registry: Registry, certs: Settings) -> None:
    known = Fixed.of(tls_registry.host, USER, "wrong")
    with (
        RegistryClient(certs, known) as client,
        pytest.raises(AuthError, match="rejects the password of 'ada'") as caught,
    ):
        client.resolve(ref(tls_registry.name("app:1")))
    assert caught.value.hint == f"log in with: jettison login {tls_registry.host}"


def test_no_password(tls_registry: Registry, certs: Settings) -> None:
    with (
        RegistryClient(certs) as client,
        pytest.raises(AuthError, match="wants a user name and a password"),
    ):
        client.resolve(ref(tls_registry.name("app:1")))


def test_an_unknown_authority_is_not_trusted(tls_registry: Registry, tmp_path: Path) -> None:
    known = Fixed.of(tls_registry.host, USER, PASSWORD)
    settings = replace(FAST, certs=tmp_path / "none")
    with RegistryClient(settings, known) as client, pytest.raises(RegistryError) as caught:
        client.resolve(ref(tls_registry.name("app:1")))
    assert "certificate is not trusted" in caught.value.message
    assert f"certs.d/{tls_registry.host}" in (caught.value.hint or "")
    assert known.asked == []


def test_ssl_cert_file_is_honoured(
    tls_registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Layout
) -> None:
    tls_registry.load(image.path, "1", "app:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca))
    known = Fixed.of(tls_registry.host, USER, PASSWORD)
    with RegistryClient(replace(FAST, certs=tmp_path / "none"), known) as client:
        assert client.resolve(ref(tls_registry.name("app:1"))).size > 0


def test_an_insecure_host_needs_no_authority(
    tls_registry: Registry, tmp_path: Path, image: Layout
) -> None:
    tls_registry.load(image.path, "1", "app:1")
    known = Fixed.of(tls_registry.host, USER, PASSWORD)
    settings = replace(FAST, insecure=frozenset({tls_registry.host}), certs=tmp_path / "none")
    with RegistryClient(settings, known) as client:
        assert client.resolve(ref(tls_registry.name("app:1"))).size > 0


def send(settings: Settings, credentials: Fixed | Credentials, image: Layout, name: str) -> None:
    with RegistryClient(settings, credentials) as client:
        push(client, LayoutSource(image), as_descriptor(image.entries[0]), [ref(name)])


def test_tokens_for_a_known_user(
    token_registry: Registry, token_server: TokenServer, image: Layout, store: Store
) -> None:
    known = Fixed.of(token_registry.host, USER, PASSWORD)
    name = token_registry.name("private/app:1")
    send(FAST, known, image, name)
    pushing = len(token_server.requests)
    pulled(FAST, known, name, store)
    assert len(token_server.requests) == pushing + 1  # one token for all of the pull
    assert token_server.requests[-1]["scope"] == ["repository:private/app:pull"]
    assert token_server.requests[-1]["service"] == ["test-service"]


def test_anonymous_tokens(
    token_registry: Registry, token_server: TokenServer, image: Layout, store: Store
) -> None:
    known = Fixed.of(token_registry.host, USER, PASSWORD)
    send(FAST, known, image, token_registry.name("public/app:1"))
    pulled(FAST, Fixed(), token_registry.name("public/app:1"), store)
    with pytest.raises(AuthError, match="private/app:1: access denied") as caught:
        pulled(FAST, Fixed(), token_registry.name("private/app:1"), store)
    assert f"jettison login {token_registry.host}" in (caught.value.hint or "")


def test_the_token_server_rejects_the_password(
    token_registry: Registry, token_server: TokenServer, store: Store
) -> None:
    known = Fixed.of(token_registry.host, USER, "wrong")
    with pytest.raises(AuthError, match="for 'ada': incorrect username or password"):
        pulled(FAST, known, token_registry.name("public/app:1"), store)
    assert len(token_server.requests) == 1


def test_an_identity_token_is_exchanged_by_post(
    token_registry: Registry, token_server: TokenServer, image: Layout, store: Store
) -> None:
    host = token_registry.host
    send(FAST, Fixed.of(host, USER, PASSWORD), image, token_registry.name("private/app:1"))
    known = Fixed(**{host: Credential(identity_token=REFRESH_TOKEN)})
    pulled(FAST, known, token_registry.name("private/app:1"), store)
    last = token_server.requests[-1]
    assert last["grant_type"] == ["refresh_token"] and last["client_id"] == ["jettison"]


def test_a_token_that_ends_early_is_renewed(
    token_registry: Registry, token_server: TokenServer, image: Layout
) -> None:
    known = Fixed.of(token_registry.host, USER, PASSWORD)
    name = token_registry.name("private/app:1")
    send(FAST, known, image, name)
    with RegistryClient(FAST, known) as client:
        first = client.resolve(ref(name))
        session = client.session(ref(name))
        tokens = session._auth._tokens
        (scopes,) = tokens
        tokens[scopes] = replace(tokens[scopes], value="no.longer.valid")
        asked = len(token_server.requests)
        assert client.resolve(ref(name)) == first
        assert len(token_server.requests) == asked + 1


def test_a_token_that_ends_during_an_upload_is_renewed_and_the_body_sent_again(
    token_registry: Registry, token_server: TokenServer, image: Layout, store: Store
) -> None:
    with run_fault_proxy(token_registry.host) as proxy:
        known = Fixed.of(proxy.host, USER, PASSWORD)
        challenge = f'Bearer realm="{token_server.url}/token",service="test-service"'
        refusal = Fault(status=401, headers={"WWW-Authenticate": challenge})
        proxy.on("PUT", "/blobs/uploads/", refusal)
        send(FAST, known, image, f"{proxy.host}/private/late:1")
        assert proxy.count("PUT", "/blobs/uploads/") == 4  # a config and two layers, one twice
        pulled(FAST, known, f"{proxy.host}/private/late:1", store)
        proxy.on("PUT", "/blobs/uploads/", refusal, times=99)
        with pytest.raises(AuthError, match="asks for a login again and again"):
            send(FAST, known, image, f"{proxy.host}/private/never:1")


def test_credentials_stay_behind_when_another_host_is_named(
    tls_registry: Registry, certs: Settings, authority: Pair, image: Layout, tmp_path: Path
) -> None:
    """A redirect, as registries send to where their blobs are kept."""
    layer = json.loads(image.read(image.entries[0]))["layers"][0]
    descriptor = as_descriptor(layer)
    with (
        run_registry(tmp_path / "elsewhere") as elsewhere,
        run_fault_proxy(elsewhere.host) as storage,
        run_registry(tmp_path / "front", htpasswd=True) as front,
        run_fault_proxy(front.host) as proxy,
        RegistryClient(FAST, Fixed.of(proxy.host, USER, PASSWORD)) as client,
    ):
        elsewhere.load(image.path, "1", "app:1")
        front.load(image.path, "1", "app:1")
        client.resolve(ref(f"{proxy.host}/app:1"))
        url = f"http://{storage.host}/v2/app/blobs/{descriptor.digest}"
        proxy.on("GET", "/blobs/", Fault(status=307, headers={"Location": url}))
        with client.open_blob(ref(f"{proxy.host}/app:1"), descriptor) as stream:
            assert stream.read() == image.read(layer)
        assert "authorization" in proxy.requests[-1].headers
        assert [r.path for r in storage.requests] == [f"/v2/app/blobs/{descriptor.digest}"]
        assert "authorization" not in storage.requests[0].headers


def test_a_challenge_from_where_a_redirect_led_gets_no_credentials(
    registry: Registry, image: Layout
) -> None:
    descriptor = as_descriptor(json.loads(image.read(image.entries[0]))["layers"][0])
    with run_fault_proxy(registry.host) as front, run_fault_proxy(registry.host) as evil:
        known = Fixed(**{h: Credential("ada", "secret") for h in (front.host, evil.host)})
        location = {"Location": f"http://{evil.host}/blob"}
        front.on("GET", "/blobs/", Fault(status=307, headers=location), times=9)
        challenge = {"WWW-Authenticate": 'Basic realm="give it to me"'}
        evil.on("GET", "/blob", Fault(status=401, headers=challenge), times=9)
        with RegistryClient(FAST, known) as client, pytest.raises(AuthError):
            client.open_blob(ref(f"{front.host}/app:1"), descriptor)
        assert known.asked == []
        assert not any("authorization" in r.headers for r in front.requests + evil.requests)


@pytest.mark.parametrize(
    "realm",
    ["http://registry.example/token", "ftp://127.0.0.1/x", "http://a:b@127.0.0.1/t", "", "//x"],
)
def test_a_token_server_that_may_not_have_the_password(
    registry: Registry, faulty: FaultProxy, realm: str
) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}
    faulty.on("HEAD", "", Fault(status=401, headers=challenge), times=9)
    known = Fixed.of(faulty.host, USER, PASSWORD)
    with RegistryClient(FAST, known) as client, pytest.raises(AuthError, match="token server"):
        client.resolve(ref(f"{faulty.host}/app:1"))


def test_a_registry_with_tls_names_no_token_server_without(
    tls_registry: Registry, authority: Pair, tmp_path: Path
) -> None:
    """Even one on loopback: whoever listens there is not who the registry says."""
    directory = tmp_path / "r"
    directory.mkdir()
    pair = make_server_pair(directory, authority)
    token = {
        "realm": "http://127.0.0.1:9/token", "service": "s", "issuer": "i",
        "rootcertbundle": str(pair.cert),
    }  # fmt: skip
    with run_registry(directory, tls=pair, token=token) as running:
        certs = tmp_path / "certs" / running.host
        certs.mkdir(parents=True)
        shutil.copy(authority.cert, certs / "ca.crt")
        known = Fixed.of(running.host, USER, PASSWORD)
        settings = replace(FAST, certs=tmp_path / "certs")
        with (
            RegistryClient(settings, known) as client,
            pytest.raises(AuthError, match="a token server without TLS"),
        ):
            client.resolve(ref(running.name("app:1")))


@pytest.mark.parametrize("body", [b"garbage", b"[]", b'{"token": 5}', b'{"token": "a\nb"}', b"{}"])
def test_a_token_server_that_answers_nonsense(faulty: FaultProxy, body: bytes) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{faulty.host}/token",service="s"'}
    faulty.on("HEAD", "", Fault(status=401, headers=challenge), times=9)
    faulty.on("GET", "/token", Fault(status=200, body=body), times=9)
    with RegistryClient(FAST) as client, pytest.raises(RegistryError, match="the token server's"):
        client.resolve(ref(f"{faulty.host}/app:1"))


@pytest.mark.parametrize("helpers", [{"credsStore": "test"}, {"credHelpers": {}}])
def test_login_with_a_helper_pull_logout(
    tls_registry: Registry,
    certs: Settings,
    image: Layout,
    store: Store,
    helper: Path,
    tmp_path: Path,
    helpers: dict[str, object],
) -> None:
    host = tls_registry.host
    tls_registry.load(image.path, "1", "app:1")
    if "credHelpers" in helpers:
        helpers = {"credHelpers": {host: "test"}}
    config = config_with(tmp_path / "docker", helpers)
    where = login(host, USER, PASSWORD, config=config, settings=certs)
    assert where == "docker-credential-test"
    assert json.loads(config.path.read_text()) == {**helpers, "auths": {host: {}}}
    assert json.loads((helper / host).read_text())["Secret"] == PASSWORD
    pulled(certs, Credentials((ConfigFile(config.path),)), tls_registry.name("app:1"), store)
    assert logout(host, config=ConfigFile(config.path))
    assert list(helper.iterdir()) == []
    assert not logout(host, config=ConfigFile(config.path))
    with pytest.raises(AuthError, match="wants a user name"):
        pulled(certs, Credentials((ConfigFile(config.path),)), tls_registry.name("app:1"), store)


def test_login_into_the_file(tls_registry: Registry, certs: Settings, tmp_path: Path) -> None:
    host = tls_registry.host
    before = {"auths": {"other": {"auth": "YTpi"}}, "psFormat": "table {{.ID}}"}
    config = config_with(tmp_path / "docker", before)
    config.path.chmod(0o644)
    assert login(host, USER, PASSWORD, config=config, settings=certs) == str(config.path)
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
    after = json.loads(config.path.read_text())
    assert after["psFormat"] == before["psFormat"] and set(after["auths"]) == {"other", host}
    assert ConfigFile(config.path).lookup(host) == Credential(USER, PASSWORD)
    assert os.listdir(config.path.parent) == ["config.json"]
    assert logout(host, config=ConfigFile(config.path))
    assert json.loads(config.path.read_text()) == before


def test_what_login_writes_skopeo_uses(
    tls_registry: Registry, certs: Settings, image: Layout, tmp_path: Path
) -> None:
    tls_registry.load(image.path, "1", "app:1")
    config = ConfigFile(tmp_path / "new" / "config.json")
    login(tls_registry.host, USER, PASSWORD, config=config, settings=certs)
    anonymous = replace(tls_registry, user="", password="")
    found = anonymous.inspect("app:1", f"--authfile={config.path}", "--raw")
    assert found == json.loads(image.read(image.entries[0]))


def test_a_wrong_password_is_not_stored(
    tls_registry: Registry, certs: Settings, tmp_path: Path
) -> None:
    config = ConfigFile(tmp_path / "config.json")
    with pytest.raises(AuthError, match=r"failed: .* rejects the password of 'ada'"):
        login(tls_registry.host, USER, "wrong", config=config, settings=certs)
    assert not config.path.exists()


def test_login_keeps_the_identity_token_and_not_the_password(
    token_registry: Registry, token_server: TokenServer, image: Layout, tmp_path: Path
) -> None:
    token_server.gives_refresh = True
    config = ConfigFile(tmp_path / "config.json")
    login(token_registry.host, USER, PASSWORD, config=config, settings=FAST)
    text = config.path.read_text()
    assert json.loads(text)["auths"][token_registry.host]["identitytoken"] == REFRESH_TOKEN
    send(
        FAST,
        Credentials((ConfigFile(config.path),)),
        image,
        token_registry.name("private/app:2"),
    )
    assert token_server.requests[-1]["grant_type"] == ["refresh_token"]
