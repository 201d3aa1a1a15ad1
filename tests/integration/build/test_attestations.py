"""Attestations of whole builds: what is stated, where it goes, and that images stay the same."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.build.test_outputs import Archive
from tests.integration.support.runner import Jettison, problems
from tests.integration.support.server import Registry

pytestmark = pytest.mark.root

DOCKERFILE = """\
FROM base AS build
ARG VERSION=1
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY status /var/lib/dpkg/status
RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null && echo $VERSION > /out
FROM base
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
COPY --from=build /out /out
COPY installed /lib/apk/db/installed
COPY os-release /etc/
CMD ["cat", "/out"]
"""
STATUS = "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:1.0-1\n"
APK = "P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nm:Some One <one@example.org>\n\n"
FILES = {"status": STATUS, "installed": APK, "os-release": "ID=alpine\nVERSION_ID=3.18.4\n"}
EPOCH = "1600000000"
SECRET = "s3cret-value"
PROVENANCE = {v: f"https://slsa.dev/provenance/{v}" for v in ("v0.2", "v1")}
SPDX = "https://spdx.dev/Document"


@pytest.fixture
def app(context: Callable[..., Path]) -> Path:
    return context(DOCKERFILE, **FILES)


@pytest.fixture
def flags(tmp_path: Path) -> tuple[str, ...]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    return ("--secret", f"id=token,src={secret}", "--build-arg", "VERSION=seventh")


def exported(jettison: Jettison, app: Path, out: Path, *flags: str) -> Archive:
    jettison.build(app, *flags, "-o", f"type=oci,dest={out}", SOURCE_DATE_EPOCH=EPOCH)
    assert problems(out) == []
    return Archive(out.read_bytes())


def members(archive: Archive) -> tuple[dict[str, Any], dict[str, Any]]:
    """The image and the attestation manifest of the index."""
    image, attestation = json.loads(archive.blob(archive.root))["manifests"]
    return image, attestation


def statements(archive: Archive) -> list[Any]:
    manifest = json.loads(archive.blob(members(archive)[1]))
    return [json.loads(archive.blob(layer)) for layer in manifest["layers"]]


def test_the_index_is_as_buildkit_writes_it(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    archive = exported(
        jettison, app, tmp_path / "a.tar", *flags, "-t", "reg.example/a:1", "--provenance", "--sbom"
    )
    image, attestation = members(archive)
    assert image["platform"]["os"] == "linux"
    assert attestation["platform"] == {"architecture": "unknown", "os": "unknown"}
    assert attestation["annotations"] == {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image["digest"],
    }
    manifest = json.loads(archive.blob(attestation))
    assert manifest["artifactType"] == "application/vnd.docker.attestation.manifest.v1+json"
    assert manifest["subject"] == {k: image[k] for k in ("mediaType", "digest", "size")}
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert archive.blob(manifest["config"]) == b"{}"
    kinds = [layer["annotations"]["in-toto.io/predicate-type"] for layer in manifest["layers"]]
    assert kinds == [SPDX, SPDX, SPDX, PROVENANCE["v0.2"]]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.in-toto+json"}
    for found in statements(archive):
        assert found["_type"] == "https://in-toto.io/Statement/v1"
        (subject,) = found["subject"]
        assert subject["name"].startswith("pkg:docker/reg.example/a@1?platform=linux%2F")
        assert subject["digest"] == {"sha256": image["digest"].removeprefix("sha256:")}


def test_an_image_config_instead_of_an_artifact(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    out = tmp_path / "a.tar"
    to = f"type=oci,oci-artifact=false,dest={out}"
    jettison.build(app, *flags, "--provenance", "-o", to)
    archive = Archive(out.read_bytes())
    manifest = json.loads(archive.blob(members(archive)[1]))
    config = json.loads(archive.blob(manifest["config"]))
    assert "artifactType" not in manifest and "subject" not in manifest
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert (config["os"], config["architecture"]) == ("unknown", "unknown")


def test_the_image_is_the_same_with_and_without(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    plain = exported(jettison, app, tmp_path / "plain.tar", *flags)
    assert plain.root["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    attested = exported(
        jettison, app, tmp_path / "a.tar", *flags, "--provenance=mode=min", "--sbom=true"
    )
    assert members(attested)[0]["digest"] == plain.root["digest"]


@pytest.mark.parametrize("version", PROVENANCE)
def test_min_tells_neither_arguments_nor_secrets_and_max_no_secret_value(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...], version: str
) -> None:
    found = {}
    for mode in ("min", "max"):
        attest = f"type=provenance,mode={mode},version={version}"
        archive = exported(jettison, app, tmp_path / f"{mode}.tar", *flags, "--attest", attest)
        (found[mode],) = statements(archive)
        assert found[mode]["predicateType"] == PROVENANCE[version]
        assert SECRET not in json.dumps(found[mode])
    assert "seventh" not in json.dumps(found["min"]) and "token" not in json.dumps(found["min"])
    predicate = found["max"]["predicate"]
    if version == "v1":
        asked = predicate["buildDefinition"]["externalParameters"]["request"]
        metadata = predicate["runDetails"]["metadata"]["buildkit_metadata"]
        complete = predicate["runDetails"]["metadata"]["buildkit_completeness"]
        assert complete == {"request": True, "resolvedDependencies": False}
    else:
        asked = predicate["invocation"]["parameters"]
        metadata = predicate["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
        complete = predicate["metadata"]["completeness"]
        assert complete == {"parameters": True, "environment": True, "materials": False}
        (material,) = predicate["materials"]
        assert material["uri"].startswith("pkg:docker/base@latest?platform=linux%2F")
        assert material["digest"] == {"sha256": jettison.inspect("base")["Digest"][7:]}
    assert asked["args"]["build-arg:VERSION"] == "seventh"
    assert asked["secrets"] == [{"id": "token", "optional": True}]
    assert asked["locals"] == [{"name": "context"}, {"name": "dockerfile"}]
    (source,) = metadata["source"]["infos"]
    assert base64.b64decode(source["data"]).decode() == DOCKERFILE


def test_steps_have_their_lines_and_layers(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    archive = exported(jettison, app, tmp_path / "a.tar", *flags, "--provenance=mode=max")
    (found,) = statements(archive)
    steps = found["predicate"]["buildConfig"]["llbDefinition"]
    metadata = found["predicate"]["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
    commands = {
        step["id"]: step["op"]["Op"]["exec"]["meta"]["args"][-1]
        for step in steps
        if "exec" in step["op"]["Op"]
    }
    ((run, command),) = commands.items()
    assert command == "cat /run/secrets/token > /dev/null && echo $VERSION > /out"
    (place,) = metadata["source"]["locations"][run]["locations"]
    assert place == {"ranges": [{"start": {"line": 5}, "end": {"line": 5}}]}
    image = json.loads(archive.blob(members(archive)[0]))
    last = steps[-1]["inputs"][0]
    assert steps[-1]["op"] == {"Op": {}}
    assert [b["digest"] for b in metadata["layers"][last][0]] == [
        layer["digest"] for layer in image["layers"]
    ]


def test_sboms_of_the_image_a_stage_and_the_context(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    archive = exported(jettison, app, tmp_path / "a.tar", *flags, "--sbom")
    found = {s["predicate"]["name"]: s["predicate"] for s in statements(archive)}
    assert list(found) == ["sbom", "sbom-context", "sbom-build"]
    assert purls(found["sbom"]) == ["pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4"]
    assert purls(found["sbom-build"]) == ["pkg:deb/debian/tool@2:1.0-1?arch=amd64"]
    assert purls(found["sbom-context"]) == []
    (file,) = found["sbom"]["files"]
    image = json.loads(archive.blob(members(archive)[0]))
    assert file["fileName"] == "/lib/apk/db/installed"
    assert file["comment"] == f"layerID: {image['layers'][-2]['digest']}"
    sha1 = hashlib.sha1(APK.encode()).hexdigest()
    assert {"algorithm": "SHA1", "checksumValue": sha1} in file["checksums"]


def purls(document: Any) -> list[str]:
    return [
        reference["referenceLocator"]
        for package in document["packages"]
        for reference in package.get("externalRefs", ())
        if reference["referenceType"] == "purl"
    ]


def test_files_beside_a_tree(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    out = tmp_path / "tree"
    attest = ("--provenance=filename=p.json", "--sbom")
    to = f"type=local,dest={out},attestation-prefix=a-"
    jettison.build(app, *flags, *attest, "-o", to, SOURCE_DATE_EPOCH=EPOCH)
    names = ["a-p.json", "a-sbom-build.spdx.json", "a-sbom-context.spdx.json", "a-sbom.spdx.json"]
    assert sorted(path.name for path in out.glob("a-*")) == names
    assert (out / "a-p.json").stat().st_mode & 0o7777 == 0o600
    subjects = {
        s["name"]: s["digest"] for s in json.loads((out / "a-p.json").read_text())["subject"]
    }
    assert subjects["out"] == {"sha256": hashlib.sha256(b"seventh\n").hexdigest()}
    tar = tmp_path / "tree.tar"
    jettison.build(
        app, *flags, "--provenance", "-o", f"type=tar,dest={tar}", SOURCE_DATE_EPOCH=EPOCH
    )
    with tarfile.open(tar) as archive:
        file = archive.extractfile("provenance.json")
        assert file is not None
        assert json.load(file)["predicateType"] == PROVENANCE["v0.2"]
    jettison.build(app, *flags, "--provenance=inline-only=true", "-o", f"type=tar,dest={tar}")
    with tarfile.open(tar) as archive:
        assert "provenance.json" not in archive.getnames()


def test_a_file_of_the_image_is_not_replaced(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    app = context("FROM scratch\nCOPY note /provenance.json\n", note="mine")
    done = jettison.build(app, "--provenance", "-o", tmp_path / "out", check=False)
    assert done.returncode == 1
    assert "would take the place of a file" in done.stderr


@pytest.mark.parametrize("to", ["type=docker,dest={}", "type=oci,oci-mediatypes=false,dest={}"])
def test_docker_formats_are_refused(jettison: Jettison, app: Path, tmp_path: Path, to: str) -> None:
    done = jettison.build(app, "--sbom", "-o", to.format(tmp_path / "x"), check=False)
    assert done.returncode == 2
    assert "attestations" in done.stderr
    assert not (tmp_path / "x").exists()


def test_an_attested_image_lives_in_store_and_registry(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...], registry: Registry
) -> None:
    name = registry.name("attested:1")
    jettison = jettison.having({"JETTISON_INSECURE_REGISTRIES": registry.host})
    jettison.build(app, *flags, "-t", name, "--provenance", "--sbom", "--push", "--load")
    raw = json.loads(registry.skopeo("inspect", "--raw", f"docker://{name}"))
    image, attestation = raw["manifests"]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    repository = name.rpartition(":")[0]
    inner = registry.skopeo("inspect", "--raw", f"docker://{repository}@{attestation['digest']}")
    assert len(json.loads(inner)["layers"]) == 4
    (row,) = [
        json.loads(line)
        for line in jettison("images", "--format", "json").stdout.splitlines()
        if json.loads(line)["Repository"] == repository
    ]
    assert "unknown" not in json.dumps(row)
    assert jettison("run", "--network", "none", name).stdout == "seventh\n"
    assert jettison.inspect(name)["Os"] == "linux"

    saved = tmp_path / "saved.tar"
    jettison("save", "--format", "oci", "-o", saved, name)
    assert problems(saved) == []
    jettison("rm", name)
    jettison("prune", "--force")
    jettison("load", "-i", saved)
    other = registry.name("attested:2")
    jettison("tag", name, other)
    jettison("push", other)
    again = json.loads(registry.skopeo("inspect", "--raw", f"docker://{other}"))
    assert again["manifests"] == raw["manifests"]
    jettison("rm", name, other)
    jettison("pull", "--all-platforms", other)
    assert jettison("run", "--network", "none", other).stdout == "seventh\n"
    docker = tmp_path / "docker.tar"
    jettison("save", "-o", docker, other)  # Docker's format: the image alone
    assert problems(docker) == []


def test_complete_materials_are_wanted(
    jettison: Jettison, app: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    done = jettison.build(
        app, *flags, "--provenance=complete-materials=true", "-o", f"type=oci,dest={tmp_path}/x",
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "provenance materials are incomplete" in done.stderr
