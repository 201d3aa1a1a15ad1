"""Class files, jars, module images."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.binfmt.classfile import ClassFile, ModuleInfo, parse_module_info
from jettison.binfmt.jar import Jar, read_jar, read_manifest
from jettison.binfmt.jimage import read_modules
from jettison.errors import BinaryError
from tests.unit.binfmt.classes import make_class, make_jar, make_jimage, make_module_info

CLASS = make_class(
    "app/Main",
    classes=("java/sql/Connection", "[Ljava/util/List;", "[I"),
    descriptors=("(Ljava/net/URL;I)Ljavax/net/ssl/SSLContext;", "Ljava/util/Map<TK;>;", "plain"),
    strings=("org.sqlite.JDBC", "hello world", "a.b", "java.util.Locale"),
)
INFO = make_module_info(
    "java.sql",
    requires=("java.base", "java.xml"),
    static=("java.compiler",),
    packages=("java.sql", "javax.sql"),
    uses=("java.sql.Driver",),
    provides={"java.sql.Spi": ("java.sql.A", "java.sql.B")},
)
DECLARED = ModuleInfo(
    name="java.sql",
    requires=("java.base", "java.xml"),
    static=("java.compiler",),
    packages=("java.sql", "javax.sql"),
    uses=("java.sql.Driver",),
    provides=(("java.sql.Spi", ("java.sql.A", "java.sql.B")),),
)


def test_references_of_a_class() -> None:
    sure, strings = ClassFile(CLASS).references()
    assert sure == {
        "app/Main",
        "java/sql/Connection",
        "java/util/List",
        "java/net/URL",
        "javax/net/ssl/SSLContext",
        "java/util/Map",
    }
    assert strings == {"org/sqlite/JDBC", "java/util/Locale"}


def test_module_info() -> None:
    assert parse_module_info(INFO) == DECLARED


def test_a_class_is_no_module_info() -> None:
    with pytest.raises(BinaryError, match="no attribute Module"):
        parse_module_info(CLASS)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([CLASS, INFO]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=8),
    st.integers(0, 400),
)
def test_a_damaged_class(good: bytes, changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(good)
    for place, value in changes:
        if place < len(data):
            data[place] = value
    for each in (bytes(data), bytes(data[:end])):
        for parse in (parse_module_info, lambda raw: ClassFile(raw).references()):
            try:
                parse(each)
            except BinaryError as error:
                assert error.message


def test_module_image() -> None:
    base = make_module_info("java.base", packages=("java.lang",))
    image = make_jimage({"java.base": base, "java.sql": INFO})
    found = read_modules(io.BytesIO(image))
    assert sorted(found) == ["java.base", "java.sql"]
    assert found["java.sql"] == DECLARED


def test_a_compressed_module_image_is_refused() -> None:
    with pytest.raises(BinaryError, match="compressed"):
        read_modules(io.BytesIO(make_jimage({"java.sql": INFO}, compressed=True)))


IMAGE = make_jimage({"java.sql": INFO})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(IMAGE) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(IMAGE)),
)
def test_a_damaged_module_image(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(IMAGE)
    for place, value in changes:
        data[place] = value
    for each in (bytes(data), bytes(data[:end])):
        try:
            assert isinstance(read_modules(io.BytesIO(each)), dict)
        except BinaryError as error:
            assert error.message


MANIFEST = (
    "Class-Path: lib/a.jar lib/b-1.0\r\n .jar\r\n"
    "Main-Class: app.Main\r\nMulti-Release: true\r\n\r\n"
)


def test_manifest_lines_are_joined() -> None:
    jar = make_jar({}, MANIFEST + "Name: x\r\nMain-Class: other\r\n")
    found = read_manifest(io.BytesIO(jar))
    assert (found["class-path"], found["main-class"]) == ("lib/a.jar lib/b-1.0.jar", "app.Main")
    assert read_manifest(io.BytesIO(make_jar({"x": b""}))) == {}


def test_a_jar_as_a_runtime_of_17_sees_it() -> None:
    inner = make_jar({"in/Inner.class": make_class("in/Inner", ("java/util/zip/ZipFile",))})
    jar = make_jar(
        {
            "app/Main.class": CLASS,
            "app/Old.class": make_class("app/Old", ("sun/misc/Unsafe",)),
            "META-INF/versions/11/app/Old.class": make_class("app/Old", ("java/lang/VarHandle",)),
            "META-INF/versions/21/app/Old.class": make_class("app/Old", ("java/lang/Future",)),
            "META-INF/services/java.sql.Driver": b"app.Driver\n",
            "BOOT-INF/lib/inner.jar": inner,
            "broken/X.class": b"\xca\xfe",
            "module-info.class": make_module_info("app", ("java.net.http",), uses=("app.Spi",)),
        },
        MANIFEST,
    )
    assert read_jar(io.BytesIO(jar), 17) == Jar(
        class_path=("lib/a.jar", "lib/b-1.0.jar"),
        main_class="app.Main",
        module="app",
        classes=frozenset({"app/Main", "app/Old", "in/Inner"}),
        references=frozenset(
            {
                "java/sql/Connection",
                "java/util/List",
                "java/net/URL",
                "javax/net/ssl/SSLContext",
                "java/util/Map",
                "java/lang/VarHandle",
                "java/util/zip/ZipFile",
            }
        ),
        strings=frozenset({"org/sqlite/JDBC", "java/util/Locale"}),
        services=frozenset({"java.sql.Driver"}),
        uses=frozenset({"app.Spi"}),
        modules=frozenset({"java.net.http"}),
        damaged=("broken/X.class",),
    )


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 600))
def test_a_damaged_jar(data: bytes, place: int) -> None:
    good = bytearray(make_jar({"a/B.class": CLASS}, MANIFEST))
    good[place : place + len(data)] = data
    for each in (data, bytes(good)):
        try:
            assert isinstance(read_jar(io.BytesIO(each)), Jar)
        except BinaryError as error:
            assert error.message
