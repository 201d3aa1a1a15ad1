import json
from io import BytesIO

import pytest

from jettison.errors import ImageError, JettisonError, NotFoundError
from jettison.model.digest import Digest, hex_of
from jettison.model.oci import OCI_INDEX, OCI_MANIFEST, Descriptor, Index, encode
from jettison.model.platform import Platform, parse_platform
from jettison.store.store import Store
from tests.unit.store.storetools import make_image

AMD64 = Platform(architecture="amd64", os="linux")


def config_digest(store: Store, image: Descriptor) -> Digest:
    return Digest(json.loads(store.blobs.path(image.digest).read_bytes())["config"]["digest"])


def put_index(store: Store, *members: Descriptor, name: str = "multi") -> Descriptor:
    index = Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=members)
    return store.images.put_index(encode(index), [name])


def test_resolve_by_name_digest_and_id(store: Store) -> None:
    image = make_image(store, "app:1")
    identity = config_digest(store, image)
    for name in (
        "app:1",
        "docker.io/library/app:1",
        f"app@{image.digest}",
        image.digest,
        hex_of(image.digest)[:12],
        identity,
        hex_of(identity)[:4],
    ):
        resolved = store.images.resolve(name, AMD64)
        assert resolved.digest == image.digest
        assert resolved.name == name
        assert resolved.config.architecture == "amd64"
        assert len(resolved.layers) == len(resolved.diff_ids) == 1
        with resolved.origin.open_blob(resolved.layers[0]) as stream:
            assert stream.read() == b"layer"


@pytest.mark.parametrize(
    "name", ["app:2", "other", "abcdef", "app@sha256:" + "0" * 64, "other.io/library/app:1"]
)
def test_what_is_not_there(store: Store, name: str) -> None:
    make_image(store, "app:1")
    with pytest.raises(NotFoundError):
        store.images.resolve(name, AMD64)


def test_what_is_no_name_is_said_to_be_none(store: Store) -> None:
    with pytest.raises(JettisonError, match="invalid image reference"):
        store.images.find("UPPER CASE")


def test_a_digest_belongs_to_its_repository(store: Store) -> None:
    image = make_image(store, "app:1")
    with pytest.raises(NotFoundError):
        store.images.find(f"other@{image.digest}")


def test_an_ambiguous_id(store: Store) -> None:
    seen: dict[str, Descriptor] = {}
    for number in range(3000):  # 16 bits of prefix: two of some hundreds share one
        image = make_image(store, content=str(number).encode())
        prefix = hex_of(image.digest)[:4]
        if prefix in seen:
            break
        seen[prefix] = image
    with pytest.raises(ImageError, match="several images"):
        store.images.find(prefix)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("linux/amd64", "amd64"),
        ("linux/amd64/v3", "amd64"),
        ("linux/arm64", "arm64"),
        ("linux/arm/v7", "arm/v6"),
        ("linux/arm/v6", "arm/v6"),
        ("linux/arm/v5", None),
        ("linux/s390x", None),
        ("windows/amd64", None),
    ],
)
def test_an_index_is_resolved_to_the_platform(store: Store, wanted: str, found: str | None) -> None:
    members = {
        key: make_image(
            store,
            content=key.encode(),
            architecture=key.partition("/")[0],
            variant=key.partition("/")[2],
        )
        for key in ("arm64", "amd64", "arm/v6")
    }
    put_index(store, *members.values())
    platform = parse_platform(wanted)
    if found is None:
        with pytest.raises(NotFoundError) as caught:
            store.images.resolve("multi", platform)
        assert caught.value.hint == "it has linux/arm64, linux/amd64, linux/arm/v6"
    else:
        assert store.images.resolve("multi", platform).digest == members[found].digest


def test_a_member_of_an_index_by_digest(store: Store) -> None:
    member = make_image(store, architecture="arm64")
    put_index(store, member)
    assert store.images.resolve(f"multi@{member.digest}", AMD64).digest == member.digest


def test_indexes_that_contain_each_other_too_deep(store: Store) -> None:
    inner = make_image(store)
    for number in range(6):
        inner = put_index(store, inner, name=f"i{number}")
    with pytest.raises(ImageError, match="deep"):
        store.images.resolve("i5", AMD64)


def test_a_manifest_with_another_number_of_layers_than_its_config(store: Store) -> None:
    image = make_image(store)
    manifest = json.loads(store.blobs.path(image.digest).read_bytes())
    manifest["layers"] = []
    config = store.blobs.path(manifest["config"]["digest"]).read_bytes()
    store.images.put_image(json.dumps(manifest).encode(), config, ["bad"])
    with pytest.raises(ImageError, match="0 layers but its config names 1"):
        store.images.resolve("bad", AMD64)


def test_a_document_that_could_be_read_in_two_ways(store: Store) -> None:
    image = make_image(store)
    document = json.loads(store.blobs.path(image.digest).read_bytes())
    del document["mediaType"]
    document["manifests"] = []
    for media_type in (OCI_MANIFEST, OCI_INDEX):
        blob = store.blobs.ingest(BytesIO(json.dumps(document).encode()))
        store.names.set("two", Descriptor(media_type, blob.digest, blob.size))
        with pytest.raises(ImageError, match="is not the"):
            store.images.resolve("two", AMD64)


def test_put_image_checks_its_documents(store: Store) -> None:
    image = make_image(store)
    manifest = store.blobs.path(image.digest).read_bytes()
    with pytest.raises(ImageError, match="another config"):
        store.images.put_image(manifest, b'{"architecture":"a","os":"b"}')
    with pytest.raises(ImageError, match="malformed"):
        store.images.put_image(b"{}", b"{}")


def test_a_blob_changed_on_disk_is_noticed(store: Store) -> None:
    image = make_image(store, "app")
    path = store.blobs.path(image.digest)
    path.write_bytes(path.read_bytes().replace(b"config", b"konfig", 1))
    with pytest.raises(ImageError, match="other content than its digest"):
        store.images.resolve("app", AMD64)


def test_remove_by_name_and_by_id(store: Store) -> None:
    image = make_image(store, "app", "app:1", "app:2")
    assert store.images.remove("app:1") == ["docker.io/library/app:1"]
    assert store.images.remove(hex_of(image.digest)[:12]) == [
        "docker.io/library/app:latest",
        "docker.io/library/app:2",
    ]
    with pytest.raises(NotFoundError):
        store.images.remove("app")


def test_list(store: Store) -> None:
    image = make_image(store, "app", content=b"12345")
    (row,) = store.images.list()
    identity = config_digest(store, image)
    assert row.name == "docker.io/library/app:latest"
    assert row.image_id == identity
    assert row.created == "2024-05-06T07:08:09Z"
    assert row.platforms == ("linux/amd64",)
    assert row.size == 5 + image.size + (store.blobs.size(identity) or 0)


def test_list_of_an_index_and_of_a_broken_image(store: Store) -> None:
    members = [make_image(store, content=a.encode(), architecture=a) for a in ("amd64", "arm64")]
    put_index(store, *members)
    broken = make_image(store, "broken", content=b"x")
    store.blobs.path(broken.digest).unlink()
    rows = {row.name: row for row in store.images.list()}
    assert rows["docker.io/library/multi:latest"].platforms == ("linux/amd64", "linux/arm64")
    assert rows["docker.io/library/broken:latest"].platforms == ()
    assert rows["docker.io/library/broken:latest"].size == 0
