"""The parts of attestations: purls of images, materials, steps, manifests, documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jettison.attest import spdx
from jettison.attest.inventory import take_inventory
from jettison.attest.materials import capture
from jettison.attest.redact import redacted
from jettison.attest.statement import (
    Predicate,
    attached,
    image_purl,
    image_subjects,
    statement,
)
from jettison.attest.steps import graph_of
from jettison.fs.stack import Stack
from jettison.model.digest import Digest, sha256_digest
from jettison.model.oci import OCI_MANIFEST, Descriptor, ImageConfig
from jettison.model.platform import Platform
from jettison.model.source import BlobSource, ResolvedImage
from jettison.plan.steps import (
    Copy,
    Git,
    Http,
    Local,
    PathSource,
    Run,
    SecretMount,
    Source,
    SshMount,
)
from jettison.store.blobs import Blobs

AMD64 = Platform(architecture="amd64", os="linux")
DIGEST = Digest("sha256:" + "ab" * 32)
IMAGE = Descriptor(OCI_MANIFEST, DIGEST, 1043, platform=AMD64)


@pytest.mark.parametrize(
    ("name", "platform", "purl"),
    [  # the first two as BuildKit's documentation and exporter write them
        ("alpine:latest", AMD64, "pkg:docker/alpine@latest?platform=linux%2Famd64"),
        ("ex.com/a/app:1", AMD64, "pkg:docker/ex.com/a/app@1?platform=linux%2Famd64"),
        ("docker.io/library/debian", None, "pkg:docker/debian@latest"),
        ("localhost:5000/a", None, "pkg:docker/localhost:5000/a@latest"),
        (f"debian:12@{DIGEST}", None, f"pkg:docker/debian@12?digest={DIGEST}"),
        (f"debian@{DIGEST}", None, f"pkg:docker/debian?digest={DIGEST}"),
    ],
)
def test_purls_of_images(name: str, platform: Platform | None, purl: str) -> None:
    assert image_purl("docker", name, platform) == purl


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:password@host.tld/path.git#x", "https://xxxxx:xxxxx@host.tld/path.git#x"),
        ("https://token@host.tld/", "https://xxxxx@host.tld/"),
        ("https://host.tld/a@b", "https://host.tld/a@b"),
        ("plain text", "plain text"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_credentials_are_masked(url: str, shown: str) -> None:
    assert redacted(url) == shown


def resolved(origin: BlobSource) -> ResolvedImage:
    config = ImageConfig("amd64", "linux")
    return ResolvedImage("docker.io/library/base:1", DIGEST, config, (), origin)


def a_run(*mounts: SecretMount | SshMount, network: str = "none") -> Run:
    return Run(
        root=None, argv=("x",), env=(), cwd="/", mounts=mounts, network=network, platform=AMD64
    )


def test_materials() -> None:
    url = Http(url="https://u:p@host/f", filename="f")
    git = Git(url="https://host/r.git", ref="main")
    pins = {url: DIGEST, git: "c" * 40}
    found = capture(
        [url, git, Local(name="context")],
        [(resolved(Blobs.__new__(Blobs)), "docker.io/library/base:1", AMD64)],
        lambda step: pins[step],
    )
    assert found.materials == (
        {"uri": "pkg:docker/base@1?platform=linux%2Famd64", "digest": {"sha256": "ab" * 32}},
        {"uri": "https://host/r.git#main", "digest": {"sha1": "c" * 40}},
        {"uri": "https://xxxxx:xxxxx@host/f", "digest": {"sha256": "ab" * 32}},
    )
    assert (found.locals, found.network) == (("context",), False)


def test_secrets_are_ids() -> None:
    optional = a_run(SecretMount(id="s", target="/x"), SshMount(id="default", target="/y"))
    required = a_run(SecretMount(id="s", target="/x", required=True), network="default")
    found = capture([optional, required], [], lambda _: "")
    assert (found.secrets, found.ssh) == ((("s", False),), (("default", True),))
    assert found.network


def test_steps() -> None:
    base = Source(diff_ids=(DIGEST,))
    url = Http(url="https://u:p@host/f", filename="f")
    copy = Copy(root=base, sources=(PathSource(step=url, path="/f"),), dest="/g", chmod="644")
    graph = graph_of(copy, lambda _: "docker-image://base")
    assert [step["id"] for step in graph.definition] == ["step0", "step1", "step2", "step3"]
    assert [step.get("inputs") for step in graph.definition[2:]] == [
        ["step0:0", "step1:0"],
        ["step2:0"],
    ]
    (action,) = graph.definition[2]["op"]["Op"]["file"]["actions"]
    assert (action["input"], action["secondaryInput"]) == (0, 1)
    assert action["Action"]["copy"]["mode"] == 0o644
    assert "u:p@" not in json.dumps(graph.definition)
    assert sorted(graph.digests.values()) == ["step0", "step1", "step2", "step3"]


def test_a_manifest_of_statements() -> None:
    data = statement(Predicate("https://x/y", {"a": 1}, "x.json"), image_subjects(["a:1"], IMAGE))
    found = attached(IMAGE, [("https://x/y", data)])
    manifest = json.loads(found.documents[found.descriptor.digest])
    assert manifest["layers"] == [
        {
            "mediaType": "application/vnd.in-toto+json",
            "digest": sha256_digest(data),
            "size": len(data),
            "annotations": {"in-toto.io/predicate-type": "https://x/y"},
        }
    ]
    assert json.loads(data) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://x/y",
        "subject": [
            {
                "name": "pkg:docker/a@1?platform=linux%2Famd64",
                "digest": {"sha256": "ab" * 32},
            }
        ],
        "predicate": {"a": 1},
    }


def test_a_document_is_spdx(tmp_path: Path) -> None:
    """Required fields of SPDX 2.3; ids are unique and relationships lead somewhere."""
    status = tmp_path / "var/lib/dpkg"
    (status / "info").mkdir(parents=True)
    (status / "status").write_text("Package: a\nVersion: 1\nMaintainer: A B <a@b>\n")
    (status / "info/a.list").write_text("/usr/bin/a\n/usr/bin/missing\n")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/a").write_text("a")
    (tmp_path / "x.jar").write_text("broken")
    inventory = take_inventory(Stack([str(tmp_path)]))
    subject = spdx.Subject("sbom", "identity", "2020-09-13T12:26:40Z")
    found = spdx.document(inventory, subject, lambda real: DIGEST)
    assert found["spdxVersion"] == "SPDX-2.3" and found["dataLicense"] == "CC0-1.0"
    assert found == spdx.document(inventory, subject, lambda real: DIGEST)
    assert "not catalogued: /x.jar: " in found["comment"]
    assert [file["fileName"] for file in found["files"]] == ["/usr/bin/a", "/var/lib/dpkg/status"]
    assert all(file["comment"] == f"layerID: {DIGEST}" for file in found["files"])
    package = found["packages"][0]
    assert package["supplier"] == "Person: A B (a@b)"
    ids = [each["SPDXID"] for each in (*found["packages"], *found["files"])]
    assert len(set(ids)) == len(ids)
    for related in found["relationships"]:
        assert related["relatedSpdxElement"] in ids
        assert related["spdxElementId"] in (*ids, "SPDXRef-DOCUMENT")
    kinds = [related["relationshipType"] for related in found["relationships"]]
    assert kinds == ["DESCRIBES", "CONTAINS", "OTHER", "CONTAINS"]
