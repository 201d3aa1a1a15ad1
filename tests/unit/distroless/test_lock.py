"""Locks: written alike each time, read back whole, refused when touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jettison.distroless.download import snapshot_times
from jettison.distroless.lock import Lock, make_lock, read_lock, write_lock
from jettison.distroless.model import ArchiveState, Dropped, Link, PackageRef, Resolution
from jettison.errors import DistrolessError, TrustError

STATE = ArchiveState(
    url="http://host/debian",
    suite="bookworm",
    codename="bookworm",
    components=("main",),
    date="2026-07-11T10:16:37Z",
    release=f"sha256:{'a' * 64}",
)


def package(name: str, **fields: Any) -> PackageRef:
    given = {
        "name": name,
        "version": "1:2.0-1",
        "architecture": "amd64",
        "archive": 0,
        "filename": f"pool/main/{name}.deb",
        "size": 10,
        "sha256": "b" * 64,
        **fields,
    }
    return PackageRef(**given)


def lock_of(*packages: PackageRef) -> Lock:
    resolution = Resolution(
        "amd64",
        packages,
        {p.name: (Link("", p.name), Link("app", f"{p.name} (>= 1)")) for p in packages},
        (Dropped("dash", "app", "dash", "scripts only"),),
    )
    return make_lock("sha256:spec", [STATE], [resolution])


def test_what_is_written_is_read_back() -> None:
    lock = lock_of(package("app"), package("lib"))
    assert read_lock(write_lock(lock), "x") == lock
    resolution = lock.resolution("amd64")
    assert [p.name for p in resolution.packages] == ["app", "lib"]
    assert resolution.why["lib"] == (Link("", "lib"), Link("app", "lib (>= 1)"))
    assert resolution.dropped[0].name == "dash"


def test_it_is_json_with_a_line_for_each_package() -> None:
    lines = write_lock(lock_of(package("lib"), package("app"))).decode().split("\n")
    json.loads("\n".join(lines))
    changed = write_lock(lock_of(package("lib", version="3"), package("app"))).decode().split("\n")
    differing = [new for old, new in zip(lines, changed, strict=True) if old != new]
    assert [line.strip()[:14] for line in differing] == ['"digest": "sha', '{"name":"lib",']


def test_the_order_of_resolving_does_not_show() -> None:
    assert write_lock(lock_of(package("a"), package("b"))) == write_lock(
        lock_of(package("b"), package("a"))
    )


def test_another_architecture_is_not_there() -> None:
    with pytest.raises(DistrolessError, match="no packages for arm64"):
        lock_of(package("a")).resolution("arm64")


def test_another_spec_is_refused() -> None:
    lock_of(package("a")).check_spec("sha256:spec")
    with pytest.raises(TrustError, match="another spec"):
        lock_of(package("a")).check_spec("sha256:other")


DATA = write_lock(lock_of(package("app"), package("lib")))


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    data = bytearray(DATA)
    data[position] ^= change
    try:
        assert read_lock(bytes(data), "x") == read_lock(DATA, "x")  # blanks between values
    except TrustError as error:
        assert "x" in error.message


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"version": 1}', b"[" * 100_000])
def test_what_is_no_lock_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        read_lock(data, "x")


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(TrustError, match="version 2 instead of 1"):
        read_lock(DATA.replace(b'"version": 1,', b'"version": 2,'), "x")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "../x"},
        {"name": "App"},
        {"version": "1 2"},
        {"architecture": "arm64"},
        {"archive": 1},
        {"archive": -1},
        {"filename": "/etc/passwd"},
        {"filename": "pool/../../x"},
        {"filename": ""},
        {"size": 0},
        {"sha256": "B" * 64},
        {"sha256": "../" + "b" * 61},
    ],
    ids=str,
)
def test_fields_that_lead_elsewhere_are_refused_whoever_wrote_the_digest(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(TrustError, match="malformed"):
        read_lock(write_lock(lock_of(package("app", **fields) if "name" not in fields else
                                     package(**fields))), "x")  # fmt: skip


@pytest.mark.parametrize("url", ["ftp://host", "javascript:x", "http://a:b@host/debian", ""])
def test_addresses_are_those_of_archives(url: str) -> None:
    lock = replace(lock_of(package("app")), archives=(replace(STATE, url=url),))
    with pytest.raises(TrustError):
        read_lock(write_lock(lock), "x")


def test_a_package_may_not_be_there_twice() -> None:
    with pytest.raises(TrustError, match="twice"):
        read_lock(write_lock(lock_of(package("app"), package("app"))), "x")


def test_snapshots_are_asked_for_the_archives_date_and_the_day_after() -> None:
    assert snapshot_times(STATE) == ["20260711T101637Z", "20260712T101637Z"]
    assert snapshot_times(replace(STATE, date="")) == []
