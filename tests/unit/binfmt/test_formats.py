"""Scripts, ld.so's cache, Python and Node sources."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.binfmt.ldcache import parse_cache, parse_conf
from jettison.binfmt.nodesource import PackageJson, package_of, parse_package_json, required_by
from jettison.binfmt.pysource import Import, imports_of
from jettison.binfmt.script import Shebang, parse_shebang
from jettison.errors import BinaryError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"#!/bin/sh\n", Shebang("/bin/sh")),
        (b"#! /usr/bin/perl -w -T \n", Shebang("/usr/bin/perl", "-w -T")),
        (b"#!/usr/bin/env python3\n", Shebang("/usr/bin/env", "python3", "python3")),
        # the kernel gives env one argument, so this looks for a program "python3 -u"
        (b"#!/usr/bin/env python3 -u\n", Shebang("/usr/bin/env", "python3 -u", "python3 -u")),
        (
            b"#!/usr/bin/env -S A=1 node --x 'a b'\n",
            Shebang("/usr/bin/env", "-S A=1 node --x 'a b'", "node", ("--x", "a b")),
        ),
        (b"#!\n", None),
        (b"#!", None),
        (b"\x7fELF", None),
        (b"", None),
        (b"#!/" + b"a" * 300, None),
    ],
)
def test_shebang(line: bytes, expected: Shebang | None) -> None:
    assert parse_shebang(line) == expected


@given(st.binary(max_size=300))
def test_any_first_line(data: bytes) -> None:
    found = parse_shebang(b"#!" + data)
    assert found is None or found.interpreter


def cache(entries: list[tuple[str, str]], order: str = "<") -> bytes:
    strings = b""
    rows = b""
    start = 48 + 24 * len(entries)
    for name, path in entries:
        at = start + len(strings)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        rows += struct.pack(order + "iIIIQ", 0x303, at, at + len(name) + 1, 0, 0)
    flags = bytes([3 if order == ">" else 2, 0, 0, 0])
    head = b"glibc-ld.so.cache1.1" + struct.pack(order + "II", len(entries), len(strings)) + flags
    return head.ljust(48, b"\0") + rows + strings


@pytest.mark.parametrize("order", ["<", ">"])
def test_ld_so_cache(order: str) -> None:
    entries = [("libb.so.1", "/opt/libb.so.1"), ("liba.so.2", "/usr/lib/liba.so.2")]
    assert parse_cache(cache(entries, order)) == entries


def test_ld_so_cache_behind_one_of_the_old_format() -> None:
    new = cache([("liba.so", "/x/liba.so")])
    old = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(12)
    assert parse_cache(old.ljust(32, b"\0") + new) == [("liba.so", "/x/liba.so")]


@given(st.binary(max_size=200), st.integers(0, 120))
def test_a_damaged_cache(data: bytes, end: int) -> None:
    for each in (data, b"glibc-ld.so.cache1.1" + data, cache([("a", "b"), ("c", "d")])[:end]):
        try:
            assert isinstance(parse_cache(each), list)
        except BinaryError as error:
            assert error.message


def test_ld_so_conf() -> None:
    text = (
        "# all\ninclude /etc/ld.so.conf.d/*.conf\n/opt/lib/ # mine\n\n"
        "  /usr/local/lib=libc6\nhwcap 1 x\n"
    )
    assert parse_conf(text) == [
        ("include", "/etc/ld.so.conf.d/*.conf"),
        ("directory", "/opt/lib"),
        ("directory", "/usr/local/lib"),
    ]


def test_python_imports() -> None:
    source = b"""\
import os, a.b as c
from . import d
from ..e import f, g
from h import *
if x:
    def later():
        import i
        importlib.import_module("j.k")
        __import__("l")
        import_module(name)
        import_module(".relative", "m")
LOOPS = {"auto": "n.loops:setup", "no": "n.x", "url": "http://x:y", "time": "10:30"}
"""
    assert set(imports_of(source)) == {
        Import("os"),
        Import("a.b"),
        Import("", 1, ("d",)),
        Import("e", 2, ("f", "g")),
        Import("h", 0, ()),
        Import("i"),
        Import("j.k"),
        Import("l"),
        Import("n.loops"),
    }


@pytest.mark.parametrize(
    "source", [b"def", b"\0", b"print 1", b"(" * 5000, b"# coding: nonsense\nx"]
)
def test_what_is_no_python(source: bytes) -> None:
    with pytest.raises(BinaryError):
        imports_of(source)


def test_node_requires() -> None:
    source = """\
const a = require('express'), b = require( "./lib/x" );
import c from 'node:fs'; import '@scope/pkg/file';
export * from "../up"; await import('lazy'); require(name); x.from('y')
"""
    assert required_by(source) == (
        "express", "./lib/x", "node:fs", "@scope/pkg/file", "../up", "lazy"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("specifier", "name"),
    [
        ("express", "express"),
        ("express/lib/x.js", "express"),
        ("@scope/pkg/file", "@scope/pkg"),
        ("node:fs", ""),
        ("./x", ""),
        ("/abs", ""),
        ("#internal", ""),
        ("@scope/..", ""),
        ("..", ""),
        ("", ""),
    ],
)
def test_package_of_a_specifier(specifier: str, name: str) -> None:
    assert package_of(specifier) == name


def test_package_json() -> None:
    data = b"""\xef\xbb\xbf{"name": "n", "main": "m.js",
        "dependencies": {"a": "1", "b": "2", "../c": "3"},
        "devDependencies": {"d": "1"}, "optionalDependencies": {"b": "2"},
        "peerDependencies": {"e": "1"}}"""
    assert parse_package_json(data) == PackageJson(
        name="n", main="m.js", dependencies=("a",), optional=("b", "e")
    )


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000])
def test_what_is_no_package_json(data: bytes) -> None:
    with pytest.raises(BinaryError):
        parse_package_json(data)
