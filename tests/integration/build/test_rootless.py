"""An ordinary user builds what root builds, byte for byte."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison, build_base, problems
from tests.integration.support.server import Registry
from tests.integration.support.users import User, ordinary_user

pytestmark = [pytest.mark.root, pytest.mark.userns]

DOCKERFILE = """\
FROM base AS made
RUN mkdir -p /d/sub /gone && echo x > /d/sub/file && busybox chown 12:34 /d/sub/file && \\
    busybox chmod 4751 /d/sub/file && busybox ln /d/sub/file /d/hard && busybox ln -s hard /d/soft
RUN rm -r /gone /d/sub && mkdir /d/sub && echo y > /d/sub/other && id -u > /d/who
FROM base
RUN mkdir -p /d && echo lower > /d/lower && busybox chown -R 1000:1000 /d
COPY --from=made --chown=5:6 /d /copied
COPY --link note /linked/
RUN rm -r /d && mkdir /d && touch /d/upper
USER 4321
RUN id -u > /tmp/user
"""


@pytest.fixture
def account() -> Iterator[User]:
    """An ordinary user with subordinate ids."""
    with ordinary_user() as made:
        yield made


@pytest.fixture
def poor() -> Iterator[User]:
    """An ordinary user without subordinate ids."""
    with ordinary_user(sub_ids=False) as made:
        yield made


@pytest.fixture
def home(account: User) -> Path:
    return account.home


@pytest.fixture
def user(account: User, rootfs: Path) -> Iterator[Jettison]:
    """The command line, run by that user, on a store in their home that has ``base``."""
    yield from with_base(account, rootfs)


def with_base(account: User, rootfs: Path) -> Iterator[Jettison]:
    runner = account.jettison()
    work = account.home / "work"
    work.mkdir()
    build_base(runner, work, rootfs)
    yield runner
    # Ids of other users own what is in the store: only who mapped them can take it away.
    runner("rm", "-f", *runner.names(), check=False)
    runner("prune", "--all", "-f", check=False)


@pytest.fixture
def single(poor: User, rootfs: Path) -> Iterator[Jettison]:
    """The command line of the user without subordinate ids."""
    yield from with_base(poor, rootfs)


def test_the_layers_are_root_s(
    jettison: Jettison, user: Jettison, account: User, home: Path, context: Callable[..., Path]
) -> None:
    directory = context(DOCKERFILE, note="a note\n")
    shutil.copytree(directory, home / "context")
    subprocess.run(["chmod", "-R", "a+rX", home / "context"], check=True)
    flags = ("-t", "same", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-o")
    output = "type=image,rewrite-timestamp=true"
    jettison.build(home / "context", *flags, output)
    user.build(home / "context", *flags, output)
    ours, theirs = jettison.inspect("same"), user.inspect("same")
    assert theirs["RootFS"]["Layers"][1:] == ours["RootFS"]["Layers"][1:]
    assert theirs["Layers"][1:] == ours["Layers"][1:]
    assert problems(user.store) == []
    assert user.store.stat().st_uid == account.uid
    again = user.build(home / "context", *flags, output)
    assert user.inspect("same") == theirs
    assert "CACHED" in again.stderr


def test_a_user_runs_and_saves(user: Jettison, account: User, home: Path) -> None:
    assert user("run", "base", "sh", "-c", "id -u; id -g").stdout == "0\n0\n"
    assert user("run", "-u", "77", "base", "id", "-u").stdout == "77\n"
    assert user("run", "base", "sh", "-c", "exit 9", check=False).returncode == 9
    saved = user.raw("save", "base").stdout
    user("rm", "base")
    user("load", stdin=saved)
    assert user("run", "base", "echo", "loaded").stdout == "loaded\n"
    (home / "volume").mkdir()
    account.own(home / "volume")
    user("run", "-v", f"{home}/volume:/v", "base", "touch", "/v/file")
    assert (home / "volume/file").stat().st_uid == account.uid


FILES = """\
FROM base AS made
COPY --chown=1000:50 note /etc/note
ADD --chown=7 tree.tar /tree/
USER 1234:5678
WORKDIR /work/deep
USER 0
RUN mkdir /moved && mv /tree/d/* /moved && busybox chmod 700 /etc/note && echo more >> /etc/note
FROM base
COPY --from=made /moved /moved
COPY --from=made --chown=0 /etc/note /root-s
COPY --from=made /tree /tree
COPY --from=made /work /work
COPY --from=made /etc/note /note
RUN rm /moved/p && touch /moved/new && busybox chmod 711 /tree
"""


def put_tree(directory: Path) -> None:
    """``tree.tar``: files of all kinds with many owners."""
    import tarfile

    kinds = {"d": tarfile.DIRTYPE, "d/f": tarfile.REGTYPE, "d/p": tarfile.FIFOTYPE}
    with tarfile.open(directory / "tree.tar", "w") as tar:
        for number, (name, kind) in enumerate({**kinds, "d/l": tarfile.SYMTYPE}.items()):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = (
                kind,
                0o755,
                "f" if kind == tarfile.SYMTYPE else "",
            )
            info.uid, info.gid = 100 + number, 200 + number
            tar.addfile(info)


def test_one_id_makes_the_layers_of_root_from_files(
    jettison: Jettison, single: Jettison, poor: User, context: Callable[..., Path]
) -> None:
    directory = context(FILES, note="a note\n")
    put_tree(directory)
    shutil.copytree(directory, poor.home / "context")
    subprocess.run(["chmod", "-R", "a+rX", poor.home / "context"], check=True)
    flags = ("-t", "same", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-o")
    output = "type=image,rewrite-timestamp=true"
    jettison.build(directory, *flags, output)
    theirs = single.build(poor.home / "context", *flags, output)
    notice = "usermod --add-subuids"
    assert theirs.stderr.count(notice) == 1, theirs.stderr
    ours = jettison.inspect("same")["RootFS"]["Layers"]
    assert single.inspect("same")["RootFS"]["Layers"][1:] == ours[1:]
    single("save", "-o", poor.home / "saved.tar", "same")
    single("rm", "same")
    single("load", "-i", poor.home / "saved.tar")
    assert single.inspect("same")["RootFS"]["Layers"][1:] == ours[1:]
    assert problems(single.store) == []


def test_what_one_id_cannot_do_fails_and_says_why(
    single: Jettison, poor: User, context: Callable[..., Path]
) -> None:
    for line, wanted in {
        "RUN touch /x && busybox chown 5:5 /x": "only one user id is mapped here, so chown",
        "USER 5\nRUN true": "cannot run as user 5:0: only one user id is mapped",
    }.items():
        directory = context(f"FROM base\n{line}\n")
        shutil.copytree(directory, poor.home / "context", dirs_exist_ok=True)
        poor.own(poor.home / "context")
        done = single.build(poor.home / "context", check=False)
        assert done.returncode == 1
        assert wanted in done.stderr
        assert "jettison doctor" in done.stderr
    assert single("run", "base", "id", "-u").stdout == "0\n"


def test_ids_given_later_use_layers_of_their_own(
    single: Jettison, poor: User, context: Callable[..., Path]
) -> None:
    directory = context("FROM base AS a\nCOPY --chown=9:9 note /n\nFROM a\nRUN stat -c %u /n\n")
    (directory / "note").write_text("x")
    shutil.copytree(directory, poor.home / "context")
    poor.own(poor.home / "context")
    first = single.build(poor.home / "context")
    assert " 0\n" in first.stderr
    for kind in ("uid", "gid"):
        add = ["usermod", f"--add-sub{kind}s", "3300000-3365535", poor.name]
        subprocess.run(add, check=True)
    second = single.build(poor.home / "context")
    assert " 9\n" in second.stderr


def test_a_user_pulls_pushes_and_prunes(user: Jettison, registry: Registry) -> None:
    name = registry.name("rootless/base:1")
    user("tag", "base", name)
    user("push", name)
    digest = user.inspect(name)["Id"]
    user("rm", name, "base")
    user("prune", "--all", "-f")
    user("pull", name)
    assert user.inspect(name)["Id"] == digest
    assert user("run", name, "echo", "pulled").stdout == "pulled\n"


def test_no_session_is_needed(
    user: Jettison, account: User, context: Callable[..., Path], tmp_path: Path
) -> None:
    """As from cron: no XDG_RUNTIME_DIR, no USER, a short PATH, a strict umask, any directory."""
    directory = context("FROM base\nCOPY note /n\nRUN stat -c %a /n /made 2>&1; touch /made\n")
    (directory / "note").write_text("x")
    (directory / "note").chmod(0o644)
    mine = shutil.copytree(directory, account.home / "context")
    account.own(mine)
    words = user.command("build", "--progress", "plain", "-t", "cron", str(mine))
    keep = {"HOME": str(account.home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    bare = {**keep, "JETTISON_ROOT": str(user.store), "PYTHONPATH": user.environ["PYTHONPATH"]}
    done = subprocess.run(
        ["sh", "-c", 'umask 077; cd /; exec "$@"', "sh", *words], env=bare, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert user("run", "cron", "stat", "-c", "%a", "/n", "/made").stdout == "644\n644\n"


def test_the_store_may_be_on_another_file_system(user: Jettison, account: User) -> None:
    """Its home is a tmpfs, where nothing can be linked or renamed to from elsewhere."""
    place = account.home / "elsewhere"
    place.mkdir()
    options = f"uid={account.uid},gid={account.gid},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        there = Jettison(place / "store", user.environ, user.prefix, user.python)
        there("load", stdin=user.raw("save", "base").stdout)
        assert there("run", "base", "echo", "here").stdout == "here\n"
        there("rm", "base")
        there("prune", "--all", "-f")
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_user_without_a_name(user: Jettison, account: User) -> None:
    """A uid that no /etc/passwd knows, as in many containers and on clusters."""
    number = 54_321
    place = account.home.parent / f"{account.name}-nobody"
    place.mkdir()
    try:
        subprocess.run(["chown", f"{number}:{number}", place], check=True)
        prefix = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", "env"]
        account.home.chmod(0o755)
        environ = {**user.environ, "HOME": str(place), "USER": ""}
        nameless = Jettison(place / "store", environ, prefix, user.python)
        nameless("load", stdin=user.raw("save", "base").stdout)
        assert nameless("run", "base", "id", "-u").stdout == "0\n"
        told = nameless("doctor", check=False).stdout
        assert "give uid 54321 a name in /etc/passwd" in told
    finally:
        subprocess.run(["rm", "-rf", place], check=True)


def test_every_snapshotter_makes_the_same_layers(
    user: Jettison, account: User, context: Callable[..., Path]
) -> None:
    directory = context(DOCKERFILE, note="a note\n")
    mine = account.own(shutil.copytree(directory, account.home / "context"))
    layers = {}
    for name in ("overlay", "copy"):
        flags = ("-t", name, "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1000000000")
        output = ("-o", "type=image,rewrite-timestamp=true")
        user.build(mine, *flags, *output, JETTISON_SNAPSHOTTER=name)
        layers[name] = user.inspect(name)["RootFS"]["Layers"]
    assert layers["copy"] == layers["overlay"]
    failed = user.build(mine, "--no-cache", check=False, JETTISON_SNAPSHOTTER="zfs")
    assert "JETTISON_SNAPSHOTTER is 'zfs'" in failed.stderr


def test_root_without_cap_sys_admin(
    jettison: Jettison, tmp_path: Path, rootfs: Path, context: Callable[..., Path]
) -> None:
    """As in a container: a user namespace of all ids that there are, so the same layers."""
    less = Jettison(tmp_path / "store", prefix=["setpriv", "--bounding-set", "-sys_admin", "env"])
    work = tmp_path / "work"
    work.mkdir()
    build_base(less, work, rootfs)
    directory = context(DOCKERFILE, note="a note\n")
    flags = ("-t", "same", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-o")
    output = "type=image,rewrite-timestamp=true"
    layers = []
    for runner in (jettison, less):
        runner.build(directory, *flags, output)
        layers.append(runner.inspect("same")["RootFS"]["Layers"][1:])
    assert layers[0] == layers[1]
