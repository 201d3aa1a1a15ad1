import json
import shutil
import subprocess

import pytest

from jettison.errors import JettisonError, StoreError
from jettison.store.names import full_name
from jettison.store.store import Store
from tests.unit.store.storetools import make_image


def test_full_name() -> None:
    assert full_name("app") == "docker.io/library/app:latest"
    assert full_name("ghcr.io/a/b:1@sha256:" + "a" * 64) == "ghcr.io/a/b:1"


def test_names_are_normalised_and_in_the_index(store: Store) -> None:
    image = make_image(store, "app:1")
    assert store.names.get("docker.io/library/app:1") is not None
    assert store.names.get("app:2") is None
    assert store.names.list() == [("docker.io/library/app:1", image)]
    index = json.loads((store.root / "index.json").read_text())
    assert index["schemaVersion"] == 2
    assert index["manifests"][0]["digest"] == image.digest
    assert index["manifests"][0]["platform"] == {"architecture": "amd64", "os": "linux"}
    assert index["manifests"][0]["annotations"] == {
        "io.containerd.image.name": "docker.io/library/app:1",
        "org.opencontainers.image.ref.name": "docker.io/library/app:1",
    }


def test_a_name_moves_and_leaves_the_old_image_dangling(store: Store) -> None:
    old = make_image(store, "app", content=b"old")
    new = make_image(store, "app", content=b"new")
    assert store.names.get("app") == new
    assert store.names.list() == [(None, old), ("docker.io/library/app:latest", new)]


def test_an_image_with_another_name_is_not_dangling(store: Store) -> None:
    old = make_image(store, "app", "app:old", content=b"old")
    new = make_image(store, "app", content=b"new")
    assert [(n, d.digest) for n, d in store.names.list()] == [
        ("docker.io/library/app:old", old.digest),
        ("docker.io/library/app:latest", new.digest),
    ]


def test_a_dangling_image_that_gets_a_name_is_listed_once(store: Store) -> None:
    image = make_image(store)
    assert store.names.list() == [(None, image)]
    store.names.add(image)
    assert len(store.names.list()) == 1
    store.names.set("app", image)
    assert [name for name, _ in store.names.list()] == ["docker.io/library/app:latest"]
    store.names.add(image)
    assert [name for name, _ in store.names.list()] == ["docker.io/library/app:latest"]


def test_setting_a_name_again_writes_nothing(store: Store) -> None:
    image = make_image(store, "app")
    make_image(store, "other")
    before = (store.root / "index.json").stat()
    store.names.set("app", image)
    after = (store.root / "index.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_remove(store: Store) -> None:
    image = make_image(store, "app", "app:1")
    assert store.names.remove("app")
    assert not store.names.remove("app")
    assert [name for name, _ in store.names.list()] == ["docker.io/library/app:1"]
    assert store.names.remove_image(image.digest) == ["docker.io/library/app:1"]
    assert store.names.list() == []


def test_remove_dangling_keeps_what_has_a_name(store: Store) -> None:
    named, dangling = make_image(store, "app", content=b"a"), make_image(store, content=b"b")
    store.names.remove_dangling([named.digest, dangling.digest])
    assert [d.digest for _, d in store.names.list()] == [named.digest]


def test_another_process_sees_the_change(store: Store) -> None:
    with Store.open(store.root) as other:
        assert other.names.get("app") is None
        make_image(store, "app")
        assert other.names.get("app") is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schemaVersion":2,"manifests":[{"digest":1}]}'])
def test_a_damaged_index_is_an_error(store: Store, text: str) -> None:
    (store.root / "index.json").write_text(text)
    with pytest.raises(StoreError, match=r"index\.json"):
        store.names.list()
    with pytest.raises(StoreError, match=r"index\.json"):
        make_image(store, "app")
    assert (store.root / "index.json").read_text() == text


def test_an_invalid_name_is_refused(store: Store) -> None:
    image = make_image(store)
    with pytest.raises(JettisonError, match="invalid image reference"):
        store.names.set("Not A Name", image)


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_skopeo_reads_the_store_and_writes_to_it(store: Store) -> None:
    make_image(store, "app:one", content=b"one")
    make_image(store, "app:two", content=b"two")
    found = json.loads(_skopeo("inspect", "--raw", f"oci:{store.root}:docker.io/library/app:one"))
    digest = found["layers"][0]["digest"]
    assert store.blobs.path(digest).read_bytes() == b"one"
    _skopeo("copy", f"oci:{store.root}:docker.io/library/app:two", f"oci:{store.root}:copied")
    names = [name for name, _ in store.names.list()]
    assert names == [
        "docker.io/library/app:one",
        "docker.io/library/app:two",
        "docker.io/library/copied:latest",
    ]
    assert store.images.find("copied").digest == store.images.find("app:two").digest


def _skopeo(*arguments: str) -> str:
    command = ["skopeo", "--insecure-policy", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
