"""What is left out, by class."""

from __future__ import annotations

import pytest

from jettison.distroless.trim import CLASSES, DEFAULT, Trim, merged_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("usr/share/doc/x/changelog.gz", "docs"),
        ("usr/share/doc/x/examples/copyright", "docs"),
        ("usr/share/man/man1/x.1.gz", "man"),
        ("usr/share/man", "man"),
        ("usr/share/info/x.info.gz", "info"),
        ("usr/share/locale/de/LC_MESSAGES/x.mo", "locales"),
        ("usr/include/x.h", "headers"),
        ("usr/lib/x86_64-linux-gnu/libx.a", "static"),
        ("usr/lib/x86_64-linux-gnu/pkgconfig/x.pc", "pkgconfig"),
        ("usr/share/bash-completion/completions/x", "completions"),
        ("usr/lib/systemd/system/x.service", "systemd"),
        ("etc/init.d/x", "init"),
        ("usr/share/lintian/overrides/x", "packaging"),
        ("var/cache/x/y", "caches"),
        ("usr/share/doc/x/copyright", None),
        ("usr/share/manual", None),
        ("usr/share/documents", None),
        ("usr/lib/locale/C.utf8/LC_CTYPE", None),
        ("usr/lib/x86_64-linux-gnu/libx.so.1", None),
        ("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", None),
        ("usr/lib/python3/dist-packages/a.py", None),
        ("var/cache", None),
        ("etc/initial", None),
    ],
)
def test_classes_of_paths(path: str, name: str | None) -> None:
    assert Trim(None).class_of(path) == name


def test_a_link_between_documentations_leads_to_a_copyright() -> None:
    trim = Trim(None)
    assert trim.class_of("usr/share/doc/libx", link=True) is None
    assert trim.class_of("usr/share/doc/libx/README", link=True) == "docs"


def test_only_classes_that_are_asked_for_and_counts() -> None:
    trim = Trim(["gconv", "man"])
    assert not trim.leaves_out("usr/share/doc/x/y", 5, directory=False)
    assert trim.leaves_out("usr/lib/x/gconv/a.so", 7, directory=False)
    assert trim.leaves_out("usr/lib/x/gconv/b.so", 4, directory=False)
    assert trim.leaves_out("usr/share/man", 0, directory=True)
    assert trim.files == {"gconv": 2, "man": 0}
    assert trim.bytes == {"gconv": 11, "man": 0}
    assert Trim([]).class_of("usr/share/man/man1/x") is None
    assert set(CLASSES) - set(DEFAULT) == {"gconv"}


@pytest.mark.parametrize(
    ("path", "merged"),
    [("bin/x", "usr/bin/x"), ("lib64/l", "usr/lib64/l"), ("lib", "usr/lib"),
     ("library", "library"), ("usr/bin/x", "usr/bin/x"), ("etc/lib", "etc/lib")],
)  # fmt: skip
def test_merged_usr(path: str, merged: str) -> None:
    assert merged_path(path) == merged
