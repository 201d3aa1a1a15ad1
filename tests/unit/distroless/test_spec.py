"""Specs: what they mean, and where they are wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.distroless import catalog
from jettison.distroless.spec import Spec, read_spec, words
from jettison.errors import DistrolessError, NotFoundError

WHOLE = """\
contents:
  repositories: [deb http://example.org/debian bookworm main]
  keyring: [archive.asc]
  packages:
    - libc6
    - libssl3=3.0.11-1
  exclude:
    debconf: asks questions
accounts:
  run-as: app
  users:
    - {username: app, uid: 1000}
    - {username: db, uid: 7, gid: 8, homedir: /srv/db, shell: /bin/false}
  groups:
    - {groupname: staff, gid: 50, members: [app]}
paths:
  - {path: /data, type: directory, uid: 1000, gid: 1000, permissions: 0o750}
  - {path: /usr/bin/tool, type: symlink, source: /opt/tool}
trim: [docs, man]
remove: [/usr/share/x]
environment: {PORT: 8080, COUNTRY: no, VERSION: 3.10}
entrypoint: {command: "/bin/app --name 'a b'"}
cmd: serve
work-dir: /data
volumes: [/data]
stop-signal: SIGQUIT
annotations: {org.opencontainers.image.vendor: us}
archs: [x86_64, arm64]
debug: {packages: [busybox-static]}
"""


def read(text: str, **others: str) -> Spec:
    return read_spec(
        text.encode(), "spec.yaml", lambda name, by: (others[name].encode(), f"{name}.yaml")
    )


def refused(text: str, **others: str) -> tuple[str, str, str | None]:
    """Where, what and how to mend it."""
    with pytest.raises(DistrolessError) as caught:
        read(text, **others)
    span = caught.value.span
    assert span is not None
    return f"{span}:{span.column}", caught.value.message, caught.value.hint


def test_every_key_is_read() -> None:
    spec = read(WHOLE)
    assert spec.contents.packages == ("libc6", "libssl3=3.0.11-1")
    assert spec.contents.keyring == ("archive.asc",)
    assert spec.contents.exclude == {"debconf": "asks questions"}
    app, db = spec.accounts.users
    assert (app.uid, app.group, app.home, app.shell) == (1000, 1000, "/home/app", "/sbin/nologin")
    assert (db.uid, db.group, db.home, db.shell) == (7, 8, "/srv/db", "/bin/false")
    assert spec.user() == app
    assert [(p.path, p.type, p.mode, p.uid) for p in spec.paths] == [
        ("/data", "directory", 0o750, 1000),
        ("/usr/bin/tool", "symlink", 0o644, 0),
    ]
    assert words(spec.entrypoint.command) == ("/bin/app", "--name", "a b")
    assert spec.architectures() == ("amd64", "arm64")
    assert spec.wanted == ("libc6", "libssl3=3.0.11-1", "busybox-static")


def test_scalars_are_what_was_written() -> None:
    assert read(WHOLE).environment == {"PORT": "8080", "COUNTRY": "no", "VERSION": "3.10"}


@pytest.mark.parametrize("text", ["755", "0755", "0o755"])
def test_permissions_are_octal_however_they_are_written(text: str) -> None:
    entry = f"{{path: /x, type: permissions, permissions: {text}}}"
    spec = read(f"contents: {{packages: [a]}}\npaths: [{entry}]\n")
    assert spec.paths[0].mode == 0o755


A = "contents: {packages: [a]}\n"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("contents:\n  package: [a]\n", "2:3", "unknown key package", "did you mean packages?"),
        ("enviroment: {}\n", "1:1", "unknown key enviroment", "did you mean environment?"),
        (
            A + "accounts:\n  users:\n    - {username: a, uid: 1, guid: 2}\n",
            "4:29",
            "unknown key guid",
            "did you mean uid or gid?",
        ),
        ("accounts:\n  users:\n    - username: a\n", "3:7", "the key uid is missing", None),
        ("accounts: {users: [{username: a, uid: x}]}", "1:39", "this has to be a number", None),
        ("contents: {packages: a}\n", "1:22", "this has to be a list", None),
        ("contents: [a]\n", "1:11", "this has to be a mapping of keys", None),
        ("- a\n", "1:1", "a spec is a mapping of keys", None),
        ("a: 1\na: 2\n", "2:1", "the key a is there twice", None),
        ("cmd: x\n", "1:1", "no packages are named", "contents: {packages: [...]}"),
        (A + "trim: [man, dcos]\n", "2:13", "no class of files: dcos", "did you mean docs?"),
        (A + "archs: [amd65]\n", "2:9", "no architecture: amd65", "did you mean amd64 or arm64?"),
        ("contents: {packages: [a], exclude: {b: }}\n", "1:36", "this has to be text", None),
        (A + 'cmd: "it\'s"\n', "2:6", "the command ends within quotes", None),
        (A + "accounts: {run-as: me}\n", "2:20", "no user me to run as", "known are root"),
        (A + "work-dir: x\n", "2:11", "not an absolute path", None),
        (
            A + "paths: [{path: x, type: directory}]\n",
            "2:16",
            "not an absolute path: 'x'",
            None,
        ),
        (
            A + "paths: [{path: /x, type: symlink}]\n",
            "2:9",
            "source is for links, which need it",
            None,
        ),
        (
            A + "paths: [{path: /x, type: file}]\n",
            "2:26",
            "there is no type file",
            None,
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    text: str, place: str, message: str, hint: str | None
) -> None:
    assert refused(text) == (f"spec.yaml:{place}", message, hint)


def test_malformed_yaml_has_a_place() -> None:
    place, message, _ = refused("a: [\n  b\nc: d\n")
    assert place.startswith("spec.yaml:3")
    assert message.startswith("malformed YAML: ")


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system [id]\n", "!x {a: b}\n"])
def test_tags_make_nothing(text: str) -> None:
    assert refused(text)[1].startswith("unknown key a")


def test_aliases_cannot_grow_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 9):
        refs = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} [{refs}]")
    assert refused("\n".join(lines))[1] == "the text is too large or too deep"


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"a: \x00", b"[" * 5000, b"{" * 200 + b"}" * 200]
)
def test_any_bytes_give_an_error_that_can_be_read(data: bytes) -> None:
    with pytest.raises(DistrolessError):
        read_spec(data, "x", lambda name, by: (b"", name))


def test_a_spec_is_laid_over_what_it_includes() -> None:
    below = "contents: {packages: [a, b], exclude: {x: why}}\nenvironment: {A: 1, B: 1}\ncmd: one\n"
    above = "include: low\ncontents: {packages: [b, c]}\nenvironment: {B: 2}\ncmd: two\n"
    spec = read(above, low=below)
    assert spec.contents.packages == ("a", "b", "c")
    assert spec.contents.exclude == {"x": "why"}
    assert spec.environment == {"A": "1", "B": "2"}
    assert spec.cmd == "two"


def test_what_is_wrong_in_an_included_spec_is_told_there() -> None:
    assert refused("include: low\n", low="contnts: {}\n")[0] == "low.yaml:1:1"
    place, message, _ = refused("include: low\n", low="include: low\n")
    assert (place, message) == ("low.yaml:1:10", "specs include each other")


def test_the_lock_depends_on_packages_and_nothing_else() -> None:
    spec = read(WHOLE)
    other = WHOLE.replace("SIGQUIT", "SIGINT").replace("uid: 1000", "uid: 1001")
    assert read(other).resolved == spec.resolved
    assert read(WHOLE.replace("- libc6", "- libc6>=2")).resolved != spec.resolved
    assert read(WHOLE.replace("asks questions", "other")).resolved != spec.resolved
    assert read(WHOLE.replace("busybox-static", "busybox")).resolved != spec.resolved


def test_the_catalogue_can_be_read_and_runs_as_nobody_special() -> None:
    assert {"static", "base", "cc", "python3", "nodejs", "java17", "nginx"} <= set(catalog.names())
    for name in catalog.names():
        spec = catalog.load(name)
        user = spec.user()
        assert user is not None, name
        assert (user.username, user.uid) == ("nonroot", 65532)
        assert spec.debug.packages == ("busybox-static",)
        assert spec.description
        assert spec.architectures() == ("amd64", "arm64")


def test_an_unknown_base_is_suggested() -> None:
    with pytest.raises(NotFoundError, match="no base statik in the catalogue") as caught:
        catalog.load("statik")
    assert caught.value.hint == "did you mean static? (a file: ./statik.yaml)"


@given(
    st.one_of(
        st.binary(max_size=200), st.text("abc:-[]{}&*!|>'\"\n #,?", max_size=60).map(str.encode)
    )
)
def test_no_text_ends_in_anything_but_a_spec_or_an_error(data: bytes) -> None:
    with suppress(DistrolessError):
        read_spec(data, "x", lambda name, by: (b"", name))


def test_includes_are_found_beside_the_spec_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "top.yaml").write_text("include: deep/middle.yaml\ncontents: {packages: [a]}\n")
    (tmp_path / "deep" / "middle.yaml").write_text("include: ./low.yaml\n")
    (tmp_path / "deep" / "low.yaml").write_text("include: base\ncontents: {packages: [z]}\n")
    packages = catalog.load(str(tmp_path / "top.yaml")).contents.packages
    assert packages[-2:] == ("z", "a")
    assert "libc6" in packages
    (tmp_path / "deep" / "low.yaml").unlink()
    with pytest.raises(NotFoundError) as caught:
        catalog.load(str(tmp_path / "top.yaml"))
    assert caught.value.message == f"no spec {tmp_path}/deep/low.yaml"
    assert str(caught.value.span) == f"{tmp_path}/deep/middle.yaml:1"
