from __future__ import annotations

import json
from typing import Any

import pytest

from jettison.errors import InternalError
from jettison.export.assemble import Image, Layer, NewEntry, assemble, index_of, rfc3339
from jettison.model.digest import sha256_digest
from jettison.model.oci import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    History,
    ImageConfig,
    RunConfig,
)
from jettison.model.platform import make_platform

AMD64 = make_platform("linux", "amd64", "", "")


def layer(name: str, created: float | None = None) -> Layer:
    blob = Descriptor(OCI_LAYER_GZIP, sha256_digest(b"blob " + name.encode()), 10)
    return Layer(sha256_digest(name.encode()), blob, created)


def entry(text: str, *, empty: bool = False) -> NewEntry:
    return NewEntry(text, "buildkit.dockerfile.v0", empty)


def image(
    layers: list[Layer],
    entries: list[NewEntry],
    *,
    base: list[History] | None = None,
    epoch: int | None = None,
    oci: bool = True,
    annotations: dict[str, str] | None = None,
) -> Image:
    config = ImageConfig(
        "amd64", "linux", config=RunConfig(Cmd=("sh",)), history=tuple(base or ()) or None
    )
    return assemble(
        config, AMD64, layers, entries, epoch=epoch, annotations=annotations or {}, oci=oci
    )


def config_of(made: Image) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.config)
    return document


def history(made: Image) -> list[str]:
    return [
        f"{line.get('created', '-')} {line.get('created_by', '-')}"
        + (" (empty)" if line.get("empty_layer") else "")
        for line in config_of(made)["history"]
    ]


BASE = [
    History(created="2020-01-01T00:00:00Z", created_by="ADD rootfs"),
    History(created="2020-01-02T00:00:00Z", created_by="CMD sh", empty_layer=True),
]


def test_layers_and_times_without_an_epoch() -> None:  # T-01, T-02, T-08
    made = image(
        [layer("base"), layer("one", 1_600_000_000), layer("two", 1_600_000_100.25)],
        [
            entry("ENV A=1", empty=True),
            entry("RUN one"),
            entry("USER x", empty=True),
            entry("COPY two"),
            entry("CMD y", empty=True),
        ],
        base=BASE,
    )
    # an empty line has the time of the layer before it, or of the first new layer
    assert history(made) == [
        "2020-01-01T00:00:00Z ADD rootfs",
        "2020-01-02T00:00:00Z CMD sh (empty)",
        "2020-09-13T12:26:40Z ENV A=1 (empty)",
        "2020-09-13T12:26:40Z RUN one",
        "2020-09-13T12:26:40Z USER x (empty)",
        "2020-09-13T12:28:20.25Z COPY two",
        "2020-09-13T12:28:20.25Z CMD y (empty)",
    ]
    document = config_of(made)
    assert document["created"] == "2020-09-13T12:28:20.25Z"
    assert document["rootfs"] == {
        "type": "layers",
        "diff_ids": [sha256_digest(n) for n in (b"base", b"one", b"two")],
    }
    assert document["config"] == {"Cmd": ["sh"]}


def test_an_epoch_dates_everything_new() -> None:  # T-05
    made = image(
        [layer("base"), layer("one", 1_700_000_000)],
        [entry("RUN one"), entry("CMD y", empty=True)],
        base=BASE,
        epoch=1_000_000_000,
    )
    assert history(made) == [
        "2020-01-01T00:00:00Z ADD rootfs",
        "2020-01-02T00:00:00Z CMD sh (empty)",
        "2001-09-09T01:46:40Z RUN one",
        "2001-09-09T01:46:40Z CMD y (empty)",
    ]
    assert config_of(made)["created"] == "2001-09-09T01:46:40Z"


def test_nothing_new_keeps_the_time_of_the_base() -> None:
    made = image([layer("base")], [], base=BASE)
    assert config_of(made)["created"] == "2020-01-02T00:00:00Z"
    assert len(history(made)) == 2


def test_only_empty_lines_on_a_base_have_its_last_time() -> None:
    made = image([layer("base")], [entry("CMD x", empty=True)], base=BASE)
    assert history(made)[-1] == "2020-01-02T00:00:00Z CMD x (empty)"


def test_a_base_without_history_gets_a_line_for_each_layer() -> None:
    made = image([layer("a"), layer("b"), layer("new", 0)], [entry("RUN new")])
    assert history(made) == [
        "1970-01-01T00:00:00Z -",
        "1970-01-01T00:00:00Z -",
        "1970-01-01T00:00:00Z RUN new",
    ]


def test_a_base_with_too_much_history_is_mended() -> None:
    base = [History(created="2020-01-01T00:00:00Z", created_by=n) for n in "abc"]
    made = image([layer("a"), layer("new", 0)], [entry("RUN new")], base=base)
    assert [line.split(" ", 1)[1] for line in history(made)] == [
        "a", "b (empty)", "c (empty)", "RUN new",
    ]  # fmt: skip


def test_an_image_of_nothing() -> None:
    document = config_of(image([], []))
    assert document["rootfs"] == {"type": "layers", "diff_ids": []}
    assert "history" not in document
    assert "created" not in document


def test_more_lines_than_layers_is_a_bug() -> None:
    with pytest.raises(InternalError):
        image([], [entry("RUN x")])


@pytest.mark.parametrize("oci", [True, False])
def test_the_manifest_names_config_and_layers(oci: bool) -> None:
    one = layer("one", 5)
    made = image([one], [entry("RUN one")], oci=oci, annotations={"k": "v"})
    manifest = json.loads(made.manifest)
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST if oci else DOCKER_MANIFEST,
        "config": {
            "mediaType": OCI_CONFIG if oci else DOCKER_CONFIG,
            "digest": sha256_digest(made.config),
            "size": len(made.config),
        },
        "layers": [{"mediaType": OCI_LAYER_GZIP, "digest": one.blob.digest, "size": 10}],
        "annotations": {"k": "v"},
    }
    assert made.descriptor == Descriptor(
        OCI_MANIFEST if oci else DOCKER_MANIFEST,
        sha256_digest(made.manifest),
        len(made.manifest),
        platform=AMD64,
    )
    assert made.image_id == sha256_digest(made.config)


@pytest.mark.parametrize("oci", [True, False])
def test_an_index_has_one_entry_for_each_platform(oci: bool) -> None:
    arm = make_platform("linux", "arm", "v7", "")
    images = []
    for p in (AMD64, arm):
        config = ImageConfig(p.architecture, p.os, p.variant)
        images.append(assemble(config, p, [], [], epoch=None, annotations={}, oci=oci))
    data, descriptor = index_of(
        [image.descriptor for image in images], annotations={"k": "v"}, oci=oci
    )
    document = json.loads(data)
    assert [m["platform"] for m in document["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm", "variant": "v7"},
    ]
    assert [m["digest"] for m in document["manifests"]] == [i.descriptor.digest for i in images]
    assert document["annotations"] == {"k": "v"}
    assert document["mediaType"] == descriptor.mediaType == (OCI_INDEX if oci else DOCKER_INDEX)
    assert (descriptor.digest, descriptor.size) == (sha256_digest(data), len(data))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_600_000_000.5, "2020-09-13T12:26:40.5Z"),
        (1_600_000_000.123456, "2020-09-13T12:26:40.123456Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ],
)
def test_times_are_written_as_go_does(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text
