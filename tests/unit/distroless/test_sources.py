"""Apt's sources, as sources.list(5) describes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.distroless.archive import VARIABLE, find_archives, host_archives
from jettison.distroless.model import Archive
from jettison.distroless.sources import parse_deb822, parse_line, parse_list
from jettison.errors import DistrolessError

FINGERPRINT = "4D64FEC119C2029067D6E791F8D2585B8783D481"


def test_a_line() -> None:
    assert parse_line("deb http://host/debian/ bookworm main contrib", "x:1") == Archive(
        url="http://host/debian", suite="bookworm", components=("main", "contrib"), origin="x:1"
    )


def test_options_of_a_line() -> None:
    line = (
        f"deb [ arch=amd64,arm64 signed-by=/k/a.gpg,{FINGERPRINT} check-valid-until=no ] "
        "https://host/ubuntu noble main"
    )
    found = parse_line(line, "x")
    assert found.architectures == ("amd64", "arm64")
    assert found.keyrings == ("/k/a.gpg",)
    assert found.fingerprints == (FINGERPRINT.lower(),)
    assert not found.check_valid_until


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("deb http://host/debian", "no source of packages"),
        ("deb-src http://host/debian bookworm main", "no source of packages"),
        ("deb http://host/debian ./", "a flat archive"),
        ("deb http://host/debian bookworm", "a flat archive"),
        ("deb [trusted=yes] http://host/debian bookworm main", "without a signature"),
        ("deb ftp://host/debian bookworm main", "no address of an archive"),
        ("deb http:///debian bookworm main", "no address of an archive"),
        ("deb http://host:x/debian bookworm main", "no address of an archive"),
        ("deb http://ada:secret@host/debian bookworm main", "has a name or password in it"),
        ("deb [signed-by=relative.gpg] http://host/debian bookworm main", "signed-by is neither"),
    ],
)
def test_lines_that_are_refused(line: str, says: str) -> None:
    with pytest.raises(DistrolessError, match=says) as caught:
        parse_line(line, "x:1")
    assert "secret" not in caught.value.message


def test_a_list_has_comments_and_sources_of_source_packages() -> None:
    text = """\
# deb http://host/debian old main
deb http://host/debian bookworm main # a comment
deb-src http://host/debian bookworm main

  deb http://host/debian bookworm-updates main
"""
    assert [(a.suite, a.origin) for a in parse_list(text, "f")] == [
        ("bookworm", "f:2"),
        ("bookworm-updates", "f:5"),
    ]


DEB822 = """\
Types: deb deb-src
# http://old.example/archive/debian/20250520T000000Z
URIs: http://host/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://host/disabled
Suites: x
Components: main

Types: deb
URIs: http://host/debian-security http://other/debian-security
Suites: bookworm-security
Components: main
Architectures: amd64 arm64
Check-Valid-Until: no
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEX
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_paragraphs() -> None:
    found = parse_deb822(DEB822, "f")
    assert [f"{a.name} {' '.join(a.components)}" for a in found] == [
        "http://host/debian bookworm main contrib",
        "http://host/debian bookworm-updates main contrib",
        "http://host/debian-security bookworm-security main",
        "http://other/debian-security bookworm-security main",
    ]
    assert found[0].keyrings == ("/usr/share/keyrings/debian-archive-keyring.gpg",)
    assert found[2].architectures == ("amd64", "arm64")
    assert not found[2].check_valid_until
    assert found[2].keys == (
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEX\n-----END PGP PUBLIC KEY BLOCK-----\n",
    )


def test_a_snapshot_service_named_in_a_comment_is_of_the_archive_called_the_same() -> None:
    found = parse_deb822(DEB822, "f")
    assert found[0].snapshot == "http://old.example/archive/debian/@SNAPSHOTID@"
    assert found[2].snapshot == ""
    (pinned,) = parse_list("deb http://old/debian/20250520T000000Z bookworm main", "f")
    assert pinned.snapshot == "http://old/debian/@SNAPSHOTID@"


def test_the_hosts_sources_in_the_order_apt_reads_them(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://host/a s main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "b.list").write_text("deb http://host/c s main\ndeb http://host/a s contrib\n")
    (parts / "a.sources").write_text("Types: deb\nURIs: http://host/b\nSuites: s\nComponents: main")
    (parts / "c.list.disabled").write_text("deb http://host/d s main\n")
    assert [f"{a.url} {' '.join(a.components)}" for a in host_archives(tmp_path)] == [
        "http://host/a main contrib",
        "http://host/b main",
        "http://host/c main",
    ]


def test_what_is_given_for_one_run_goes_before_the_spec_and_that_before_the_host(
    tmp_path: Path,
) -> None:
    (tmp_path / "sources.list").write_text("deb http://host/ s main\n")

    def found(*repositories: str, **options: object) -> list[str]:
        archives = find_archives(repositories, etc=tmp_path, **options)  # type: ignore[arg-type]  # str or list
        return [archive.url for archive in archives]

    assert found() == ["http://host"]
    assert found("http://spec s main", "deb http://spec/2 s main") == [
        "http://spec",
        "http://spec/2",
    ]
    variable = "http://variable s main; deb http://variable/2 s main\n"
    assert found("http://spec s main", variable=variable) == [
        "http://variable",
        "http://variable/2",
    ]
    assert found("x", variable=variable, flags=["http://flag s main"]) == ["http://flag"]


def test_no_archive_at_all_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DistrolessError, match="no archive of packages is known") as caught:
        find_archives((), etc=tmp_path)
    assert VARIABLE in (caught.value.hint or "")


@given(st.text(alphabet="deb []=:/#\nTypes,URI.-0aZ\t", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_list, parse_deb822):
        try:
            parse(text, "f")
        except DistrolessError as error:
            assert error.message
