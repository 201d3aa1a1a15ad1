"""From a signed archive to verified packages, and what becomes of every piece tampered with."""

from __future__ import annotations

import hashlib
import lzma
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jettison.distroless.datacache import DataCache
from jettison.distroless.deb import open_deb
from jettison.distroless.lock import read_lock, write_lock
from jettison.errors import Cancelled, DistrolessError, FetchError, TrustError
from jettison.fs.tarread import TarReader
from tests.integration.distroless.lab import Lab
from tests.integration.support.debarchive import DebArchive, Key


def pinned(lab: Lab, architecture: str = "amd64") -> list[str]:
    lock = lab.lock(architectures=architecture)
    return [
        f"{p.name} {p.version} {p.architecture}" for p in lock.resolution(architecture).packages
    ]


def members(reader: TarReader) -> list[str]:
    found = []
    while (member := reader.next()) is not None:
        found.append(f"{member.name.decode()} {b''.join(reader.chunks()).decode()}".strip())
    return found


def contents(path: Path) -> list[str]:
    with open_deb(path) as deb:
        return members(deb.data())


def test_a_closure_is_resolved_pinned_fetched_and_read(lab: Lab) -> None:
    assert pinned(lab) == ["app 1:1.0-1 amd64", "data 3 all", "lib 1.2 amd64"]
    assert pinned(lab, "arm64") == ["app 1:1.0-1 arm64", "data 3 all", "lib 1.2 arm64"]
    lock = lab.lock(architectures="amd64 arm64")
    for architecture in ("amd64", "arm64"):
        files = lab.fetch(lock, architecture)
        assert sorted(files) == ["app", "data", "lib"]
        assert contents(files["lib"])[-1] == "./usr/share/lib/file lib 1.2"
        with open_deb(files["app"]) as deb:
            assert (deb.control["package"], deb.control["version"]) == ("app", "1:1.0-1")
            assert deb.control["architecture"] == architecture


def test_a_lock_needs_no_index_and_a_second_run_no_network(lab: Lab) -> None:
    lock = read_lock(write_lock(lab.lock()), "x.lock.json")
    lab.web.requests.clear()
    files = lab.fetch(lock)
    assert [r for r in lab.web.requests if "/dists/" in r] == []
    assert len(lab.web.requests) == 3
    assert lab.fetch(lock, offline=True) == files
    assert len(lab.web.requests) == 3


def test_the_same_archive_gives_the_same_lock_another_day(lab: Lab) -> None:
    first = write_lock(lab.lock(architectures="arm64 amd64"))
    later = lab.lock(architectures="amd64 arm64", now=datetime(2028, 1, 1, tzinfo=UTC))
    assert write_lock(later) == first


def test_indexes_are_fetched_once_by_their_hash(lab: Lab) -> None:
    lab.lock()
    first = [r for r in lab.web.requests if "Packages" in r or "by-hash" in r]
    assert len(first) == 1
    assert "/by-hash/SHA256/" in first[0]
    lab.lock()
    assert [r.rpartition("/")[2] for r in lab.web.requests[-1:]] == ["InRelease"]


@pytest.mark.parametrize("kind", ["", ".xz", ".gz"])
def test_any_compression_of_the_index_will_do(lab: Lab, tmp_path: Path, kind: str) -> None:
    other = DebArchive(tmp_path / "archive" / "one", lab.archive.key, kinds=(kind,))
    other.add("app")
    other.publish()
    lock = lab.lock(lab.source(url=f"{lab.web.url}/one"))
    assert [p.name for p in lock.resolution("amd64").packages] == ["app"]


def test_release_with_a_signature_beside_it(lab: Lab, tmp_path: Path) -> None:
    other = DebArchive(tmp_path / "archive" / "one", lab.archive.key, detached=True, by_hash=False)
    other.add("app")
    other.publish()
    source = lab.source(url=f"{lab.web.url}/one")
    assert lab.lock(source).archives[0].codename == "bookworm"
    (other.dists / "Release").write_bytes((other.dists / "Release").read_bytes() + b"\n")
    with pytest.raises(TrustError, match="not signed by a key of the archive"):
        lab.lock(source)


def test_an_archive_in_a_directory(lab: Lab) -> None:
    source = lab.source(url=f"file://{lab.archive.root}")
    lab.fetch(lab.lock(source, offline=True), offline=True)
    assert lab.web.requests == []


def test_large_packages_are_made_quick_to_read_once(lab: Lab) -> None:
    text = "".join(f"{n * n:x}" for n in range(60_000))
    lab.archive.add("big", files={"usr/share/big": text})
    lab.archive.publish()
    lock = lab.lock(wanted="big app")
    files = lab.fetch(lock)
    packages = {p.name: p for p in lock.resolution("amd64").packages}
    assert packages["big"].size > 128 << 10
    cache = DataCache(lab.store)
    for name in ("big", "app"):
        with open_deb(files[name]) as deb, cache.open(packages[name], deb) as quick:
            assert members(quick) == members(deb.data())
    after = lab.blobs()
    # the packages; the Release, an index as it came and as a database; the quick data of one
    assert len(after) == len(packages) + 4
    lab.fetch(lock)
    assert lab.blobs() == after


# ---------------------------------------------------------------- signatures and dates


def refused(lab: Lab, match: str, *sources: object, **options: object) -> None:
    before = lab.blobs()
    with pytest.raises(TrustError, match=match):
        lab.lock(*sources, **options)  # type: ignore[arg-type]  # whatever a test passes on
    assert lab.blobs() == before, "something was written"


def test_a_changed_release_is_refused(lab: Lab) -> None:
    path = lab.archive.dists / "InRelease"
    path.write_bytes(path.read_bytes().replace(b"Origin: Example", b"Origin: Exbmple"))
    refused(lab, "not signed by a key of the archive")


def test_text_around_the_signed_text_does_not_count(lab: Lab) -> None:
    path = lab.archive.dists / "InRelease"
    path.write_bytes(b"Codename: other\n\n" + path.read_bytes())
    refused(lab, "no signed text")


def test_another_key_is_refused(lab: Lab, other_key: Key) -> None:
    refused(lab, "not signed by a key", lab.source(keyrings=(str(other_key.keyring),)))
    both = (str(other_key.keyring), str(lab.archive.key.keyring))
    assert lab.lock(lab.source(keyrings=both))


def test_keys_in_the_source_itself_and_their_fingerprints(lab: Lab, other_key: Key) -> None:
    key = lab.archive.key
    assert lab.lock(lab.source(keyrings=(), keys=(key.armored,)))
    assert lab.lock(lab.source(fingerprints=(key.fingerprint,)))
    refused(lab, "is signed by", lab.source(fingerprints=(other_key.fingerprint,)))


def test_keyrings_that_are_missing_or_malformed(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "bad.gpg").write_bytes(b"junk")
    refused(lab, "cannot be read", lab.source(keyrings=("/nonexistent/x.gpg",)))
    refused(lab, "a keyring is malformed", lab.source(keyrings=(str(tmp_path / "bad.gpg"),)))
    refused(lab, "no key is known", lab.source(keyrings=()))


def test_the_hosts_trusted_keys_are_used_where_none_is_named(lab: Lab, tmp_path: Path) -> None:
    trusted = tmp_path / "etc" / "trusted.gpg.d"
    trusted.mkdir(parents=True)
    (trusted / "archive.asc").write_text(lab.archive.key.armored)
    assert lab.lock(lab.source(keyrings=()), etc=tmp_path / "etc")


@pytest.mark.parametrize("content", [b"", b"<html>login</html>", b"\xff" * 100])
def test_something_else_that_answers_is_refused(lab: Lab, content: bytes) -> None:
    (lab.archive.dists / "InRelease").write_bytes(content)
    refused(lab, "no signed text")


def test_another_suites_release_is_refused(lab: Lab) -> None:
    other = lab.archive.dists.parent / "trixie"
    lab.archive.dists.rename(other)
    refused(lab, "its Release file is that of", lab.source(suite="trixie"))


def test_a_release_is_valid_until_its_day(lab: Lab) -> None:
    lab.archive.valid_until = "Sat, 18 Jul 2026 10:16:37 UTC"
    lab.archive.publish()
    assert lab.lock(now=datetime(2026, 7, 18, 10, tzinfo=UTC))
    late = datetime(2026, 7, 18, 11, tzinfo=UTC)
    with pytest.raises(TrustError, match=r"was valid until 2026-07-18 10:16") as caught:
        lab.lock(now=late)
    assert "check-valid-until=no" in (caught.value.hint or "")
    assert lab.lock(lab.source(check_valid_until=False), now=late)


def test_a_release_from_the_future_is_refused(lab: Lab) -> None:
    refused(lab, "from the future", now=datetime(2026, 7, 11, 10, tzinfo=UTC))


def test_going_back_in_time_is_noted(lab: Lab) -> None:
    lab.lock()
    lab.archive.date = "Fri, 10 Jul 2026 00:00:00 UTC"
    lab.archive.publish()
    assert lab.warnings == []
    lab.lock()
    assert len(lab.warnings) == 1
    assert "was of 2026-07-11T10:16:37Z before" in lab.warnings[0]


# ---------------------------------------------------------------- indexes and packages


def test_a_changed_index_is_refused(lab: Lab) -> None:
    for path in lab.archive.dists.rglob("*"):
        if path.is_file() and path.name != "InRelease" and "amd64" in str(path):
            path.write_bytes(lzma.compress(b"Package: evil\n"))
    with pytest.raises(TrustError, match="is not what the signed Release says"):
        lab.lock()
    release = hashlib.sha256((lab.archive.dists / "InRelease").read_bytes()).hexdigest()
    assert lab.blobs() == {release}, "the index was kept"


def test_an_index_that_lies_about_its_content_is_refused(lab: Lab) -> None:
    """The compressed file has its hash, the text in it another."""
    text = (lab.archive.dists / "InRelease").read_bytes().split(b"\n")
    body = b"\n".join(text[3 : text.index(b"-----BEGIN PGP SIGNATURE-----")])
    plain = (lab.archive.dists / "main/binary-amd64/Packages").read_bytes()
    digest = hashlib.sha256(plain).hexdigest().encode()
    lab.archive.sign(body.replace(digest, b"0" * 64) + b"\n")
    with pytest.raises(TrustError, match="its content is not what the signed Release says"):
        lab.lock()


@pytest.mark.parametrize("size", [0, 1])
def test_a_changed_package_is_refused_and_not_kept(lab: Lab, size: int) -> None:
    lock = lab.lock()
    path = next((lab.archive.root / "pool").rglob("lib_1.2_amd64.deb"))
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data + bytes(size))
    with pytest.raises(TrustError, match=r"lib 1.2 .*not the one that was pinned"):
        lab.fetch(lock)
    digests = {p.sha256 for p in lock.resolution("amd64").packages if p.name == "lib"}
    assert not digests & lab.blobs()


def test_a_pinned_hash_that_was_changed_is_refused(lab: Lab) -> None:
    data = write_lock(lab.lock())
    sha256 = lab.lock().resolution("amd64").packages[0].sha256
    changed = data.replace(sha256.encode(), b"0" * 64)
    with pytest.raises(TrustError, match="not as it was written"):
        read_lock(changed, "x.lock.json")


def test_a_package_that_is_gone_comes_from_the_snapshot_service(lab: Lab, tmp_path: Path) -> None:
    snapshot = f"{lab.web.url}/snapshot/debian/@SNAPSHOTID@"
    lock = lab.lock(lab.source(snapshot=snapshot))
    lost = lab.lock()
    path = next((lab.archive.root / "pool").rglob("data_3_all.deb"))
    old = tmp_path / "archive/snapshot/debian/20260712T101637Z/pool/main"
    old.mkdir(parents=True)
    path.rename(old / path.name)
    with pytest.raises(FetchError, match=r"no longer has data 3 \(all\)"):
        lab.fetch(lost)
    assert sorted(lab.fetch(lock)) == ["app", "data", "lib"]


def test_the_release_may_name_its_snapshot_service(lab: Lab) -> None:
    lab.archive.extra = f"Snapshots: {lab.web.url}/old/@SNAPSHOTID@/"
    lab.archive.publish()
    assert lab.lock().archives[0].snapshot == f"{lab.web.url}/old/@SNAPSHOTID@"


def test_a_download_that_broke_off_goes_on(lab: Lab) -> None:
    lock = lab.lock()
    package = next(p for p in lock.resolution("amd64").packages if p.name == "lib")
    data = next((lab.archive.root / "pool").rglob("lib_1.2_amd64.deb")).read_bytes()
    begun = lab.store.paths.tmp / f"partial-sha256-{package.sha256}"
    begun.write_bytes(data[:100])
    assert lab.fetch(lock)["lib"].read_bytes() == data


# ---------------------------------------------------------------- offline, missing, cancelled


def test_offline_uses_what_was_fetched_before_and_verifies_it_again(
    lab: Lab, other_key: Key
) -> None:
    with pytest.raises(FetchError, match="was not fetched before"):
        lab.lock(offline=True)
    first = lab.lock()
    lab.web.requests.clear()
    assert lab.lock(offline=True) == first
    with pytest.raises(TrustError):
        lab.lock(lab.source(keyrings=(str(other_key.keyring),)), offline=True)
    with pytest.raises(FetchError, match="offline"):
        lab.fetch(first, offline=True)
    assert lab.web.requests == []


def test_a_suite_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(FetchError, match=r"there is no .*/Release") as caught:
        lab.lock(lab.source(suite="bookwurm"))
    assert "spelled right" in (caught.value.hint or "")


def test_a_component_or_an_architecture_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(DistrolessError, match="no component universe"):
        lab.lock(lab.source(components=("universe",)))
    with pytest.raises(DistrolessError, match="has packages for riscv64"):
        lab.lock(architectures="riscv64")
    assert lab.warnings == [f"{lab.web.url}/debian bookworm has nothing for riscv64"]


def test_a_server_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(FetchError, match="cannot fetch"):
        lab.lock(lab.source(url="http://127.0.0.1:9/debian"))


def test_cancelling_ends_it(lab: Lab) -> None:
    lock = lab.lock()
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        lab.fetch(lock, cancel=cancel)
    with pytest.raises(Cancelled):
        lab.lock(cancel=cancel)
