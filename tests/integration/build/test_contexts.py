"""Where a build context and named contexts may come from."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.layouts import Layout, busybox_layout
from tests.integration.support.runner import Jettison
from tests.integration.support.server import Registry
from tests.integration.support.web import Git, Web, run_web

pytestmark = pytest.mark.root

SHOW = "FROM scratch\nCOPY . /\n"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    root = tmp_path / "web"
    root.mkdir()
    with run_web(root) as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def tar_of(files: dict[str, str], mode: str = "w") -> bytes:
    """A tar of text files, compressed as ``mode`` says."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]  # any mode
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return stream.getvalue()


def files_in(directory: Path) -> dict[str, str]:
    """Each regular file below ``directory`` and its content."""
    paths = [p for p in directory.rglob("*") if p.is_file()]
    return {str(p.relative_to(directory)): p.read_text() for p in sorted(paths)}


def test_a_directory(jettison: Jettison, context: Callable[..., Path], out: Path) -> None:
    directory = context(SHOW, a="1", b="2", **{".dockerignore": "b\nDockerfile\n"})
    jettison.build(directory, "-o", out)
    assert files_in(out) == {".dockerignore": "b\nDockerfile\n", "a": "1"}


def test_a_dockerfile_elsewhere(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path
) -> None:
    directory = context("FROM nowhere.invalid/no\n", a="1", b="2")
    (tmp_path / "other").write_text("FROM scratch\nCOPY a b /\n")
    (tmp_path / "other.dockerignore").write_text("c\n")
    jettison.build(directory, "-f", tmp_path / "other", "-o", out)
    assert files_in(out) == {"a": "1", "b": "2"}


def test_a_dockerfile_from_standard_input(
    jettison: Jettison, context: Callable[..., Path], out: Path
) -> None:
    directory = context("FROM nowhere.invalid/no\n", a="1")
    jettison.build(directory, "-f", "-", "-o", out, stdin=b"FROM scratch\nCOPY a /from-stdin\n")
    assert files_in(out) == {"from-stdin": "1"}


def test_standard_input_is_a_dockerfile(jettison: Jettison, out: Path) -> None:
    text = b"FROM base AS made\nRUN echo made > /made\nFROM scratch\nCOPY --from=made /made /\n"
    jettison.build("-", "-o", out, stdin=text)
    assert files_in(out) == {"made": "made\n"}
    done = jettison.build("-", stdin=b"FROM scratch\nCOPY here /\n", check=False)
    assert done.returncode == 1
    assert '"/here": not found' in done.stderr


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_standard_input_is_a_tar(jettison: Jettison, out: Path, mode: str) -> None:
    files = {"Dockerfile": SHOW, "dir/file": "x", ".dockerignore": "Dockerfile\n.dockerignore"}
    jettison.build("-", "-o", out, stdin=tar_of(files, mode))
    assert files_in(out) == files  # ignore files count in local contexts only


def test_standard_input_is_a_tar_with_a_dockerfile_inside(jettison: Jettison, out: Path) -> None:
    files = {"sub/My.Dockerfile": "FROM scratch\nCOPY file /\n", "file": "x"}
    jettison.build("-", "-f", "sub/My.Dockerfile", "-o", out, stdin=tar_of(files))
    assert files_in(out) == {"file": "x"}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_file(jettison: Jettison, tmp_path: Path, out: Path, mode: str) -> None:
    archive = tmp_path / "context.tar"
    archive.write_bytes(tar_of({"Dockerfile": SHOW, "file": "x"}, mode))
    jettison.build(archive, "-o", out)
    assert files_in(out) == {"Dockerfile": SHOW, "file": "x"}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_on_the_web(jettison: Jettison, web: Web, out: Path, mode: str) -> None:
    (web.root / "context").write_bytes(tar_of({"Dockerfile": SHOW, "file": "x"}, mode))
    jettison.build(f"{web.url}/context", "-o", out)
    assert files_in(out) == {"Dockerfile": SHOW, "file": "x"}


def test_owners_of_a_tar_count(jettison: Jettison, tmp_path: Path) -> None:
    def owned(uid: int) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for name, content in (("Dockerfile", text), ("file", b"x")):
                member = tarfile.TarInfo(name)
                member.size, member.uid, member.gid = len(content), uid, 7
                tar.addfile(member, io.BytesIO(content))
        return stream.getvalue()

    text = (b"FROM base AS b\nCOPY file /\nRUN --mount=target=/m stat -c %u:%g /file /m/file > /r\n"
            b"FROM scratch\nCOPY --from=b /r /\n")  # fmt: skip
    for uid in (5, 6):
        jettison.build("-", "-o", tmp_path / str(uid), stdin=owned(uid))
        assert files_in(tmp_path / str(uid)) == {"r": f"{uid}:7\n" * 2}


def test_the_time_of_a_tar_on_the_web(jettison: Jettison, web: Web, tmp_path: Path) -> None:
    (web.root / "context").write_bytes(tar_of({"Dockerfile": SHOW}))
    os.utime(web.root / "context", (1500000000, 1500000000))
    epoch = ["--build-arg", "SOURCE_DATE_EPOCH=context"]
    jettison.build(f"{web.url}/context", *epoch, "-t", "dated")
    assert jettison.inspect("dated")["Created"] == "2017-07-14T02:40:00Z"


def test_a_dockerfile_on_the_web(jettison: Jettison, web: Web, out: Path) -> None:
    (web.root / "Dockerfile").write_text("FROM base AS b\nRUN echo 1 > /one\n"
                                         "FROM scratch\nCOPY --from=b /one /\n")  # fmt: skip
    jettison.build(f"{web.url}/Dockerfile", "-o", out)
    assert files_in(out) == {"one": "1\n"}
    (web.root / "all").write_text(SHOW)
    jettison.build(f"{web.url}/all", "-o", out / "all")
    assert files_in(out / "all") == {"context": SHOW}
    done = jettison.build(f"{web.url}/missing", check=False)
    assert done.returncode == 1
    assert "404" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def repository(web: Web, tmp_path: Path) -> Git:
    """``app.git`` on the web: main has ``version`` 2, the tag v1 and the branch old have 1."""
    git = Git(tmp_path / "git", web.root / "app.git")
    git.commit(Dockerfile=SHOW, version="1", sub__Dockerfile=SHOW, sub__file="in sub 1")
    git("tag", "v1")
    git("tag", "--annotate", "--message", "annotated", "v1-annotated")
    git("branch", "old")
    git.commit(version="2", sub__file="in sub 2")
    git.publish()
    return git


@pytest.mark.parametrize(
    ("fragment", "version"),
    [
        ("", "2"),
        ("#main", "2"),
        ("#v1", "1"),
        ("#v1-annotated", "1"),
        ("#old", "1"),
        ("#refs/heads/old", "1"),
        ("?ref=v1", "1"),
        ("?branch=old", "1"),
        ("#{commit}", "1"),
    ],
)
def test_a_git_repository(
    jettison: Jettison, web: Web, repository: Git, out: Path, fragment: str, version: str
) -> None:
    commit = repository("rev-parse", "v1")
    jettison.build(f"{web.url}/app.git{fragment.format(commit=commit)}", "-o", out)
    found = files_in(out)
    assert found["version"] == version
    assert found["sub/file"] == f"in sub {version}"
    assert not (out / ".git").exists()


@pytest.mark.parametrize("fragment", ["#v1:sub", "#:sub", "?ref=v1&subdir=sub"])
def test_a_directory_of_a_git_repository(
    jettison: Jettison, web: Web, repository: Git, out: Path, fragment: str
) -> None:
    jettison.build(f"{web.url}/app.git{fragment}", "-o", out)
    version = "1" if "v1" in fragment else "2"
    assert files_in(out) == {"Dockerfile": SHOW, "file": f"in sub {version}"}


def test_git_refs_that_are_not_there(jettison: Jettison, web: Web, repository: Git) -> None:
    for fragment, said in (("#v9", "v9"), ("#main:nothing", "nothing"), ("?checksum=00aa", "00aa")):
        done = jettison.build(f"{web.url}/app.git{fragment}", check=False)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    done = jettison.build(f"{web.url}/none.git", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_new_commit_is_seen(jettison: Jettison, web: Web, repository: Git, out: Path) -> None:
    jettison.build(f"{web.url}/app.git#main", "-o", out)
    repository.commit(version="3")
    repository.publish()
    jettison.build(f"{web.url}/app.git#main", "-o", out)
    assert (out / "version").read_text() == "3"


NAMED = "FROM scratch\nCOPY --from=named /file /\n"


def test_a_named_directory(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path
) -> None:
    named = tmp_path / "named"
    named.mkdir()
    (named / "file").write_text("from a directory")
    jettison.build(context(NAMED), "--build-context", f"named={named}", "-o", out)
    assert files_in(out) == {"file": "from a directory"}
    (named / "file").write_text("changed")
    jettison.build(context(NAMED), "--build-context", f"named={named}", "-o", out)
    assert files_in(out) == {"file": "changed"}


def test_a_named_tar(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path
) -> None:
    (tmp_path / "named.tar.gz").write_bytes(tar_of({"file": "from a tar"}, "w:gz"))
    jettison.build(context(NAMED), "--build-context", f"named={tmp_path}/named.tar.gz", "-o", out)
    assert files_in(out) == {"file": "from a tar"}


def test_a_named_url_is_one_file(
    jettison: Jettison, context: Callable[..., Path], web: Web, out: Path
) -> None:
    """Archives are not unpacked; what nothing takes from is not fetched."""
    (web.root / "file").write_text("from the web")
    contexts = [f"--build-context=named={web.url}/file", f"--build-context=no={web.url}/missing"]
    jettison.build(context("FROM scratch\nCOPY --from=named . /\n"), *contexts, "-o", out)
    assert files_in(out) == {"context": "from the web"}


def test_a_named_repository(
    jettison: Jettison, context: Callable[..., Path], web: Web, repository: Git, out: Path
) -> None:
    source = f"{web.url}/app.git#v1:sub"
    jettison.build(context(NAMED), "--build-context", f"named={source}", "-o", out)
    assert files_in(out) == {"file": "in sub 1"}


def test_a_named_image(
    jettison: Jettison, context: Callable[..., Path], registry: Registry, tmp_path: Path, out: Path
) -> None:
    """From the store, from a registry, and in the place of a base image."""
    layout = busybox_layout(tmp_path / "layout")
    registry.load(layout.path, "busybox", "named/busybox:1")
    replaced = context("FROM example.invalid/base AS b\nRUN echo replaced > /file\n"
                       "FROM scratch\nCOPY --from=b /file /\n")  # fmt: skip
    for source in ("base", registry.name("named/busybox:1")):
        named = f"example.invalid/base=docker-image://{source}"
        jettison.build(replaced, "--build-context", named, "-o", out)
        assert files_in(out) == {"file": "replaced\n"}


@pytest.mark.parametrize("form", ["{path}:busybox", "{path}@{digest}", "{path}"])
def test_a_named_layout(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path, form: str
) -> None:
    layout = busybox_layout(tmp_path / "layout")
    source = form.format(path=layout.path, digest=layout.entries[0]["digest"])
    directory = context("FROM named AS b\nRUN id -u > /file\nFROM scratch\nCOPY --from=b /file /\n")
    jettison.build(directory, "--build-context", f"named=oci-layout://{source}", "-o", out)
    assert files_in(out) == {"file": "0\n"}


def test_a_layout_named_by_a_relative_path(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path
) -> None:
    busybox_layout(tmp_path / "layout")
    directory = context("FROM scratch\nCOPY --from=named /etc/passwd /\n")
    command = jettison.command("build", "--build-context", "named=oci-layout://layout", "-o", out)
    done = subprocess.run(
        [*command, directory], cwd=tmp_path, env=jettison.environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert os.listdir(out) == ["passwd"]


def test_a_layout_that_jettison_wrote(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path, out: Path
) -> None:
    wrote = f"type=oci,tar=false,dest={tmp_path}/layout,name=app:1"
    jettison.build(context("FROM base\nRUN echo 1 > /file\n"), "-o", wrote)
    named = f"named=oci-layout://{tmp_path}/layout:1"
    jettison.build(context(NAMED), "--build-context", named, "-o", out)
    assert files_in(out) == {"file": "1\n"}


def test_a_layout_without_the_platform(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("1", layout.index({"s390x": layout.image([[]], arch="s390x")}))
    named = f"named=oci-layout://{layout.path}:1"
    done = jettison.build(context("FROM named\n"), "--build-context", named, check=False)
    assert done.returncode == 1
    assert "linux/amd64" in done.stderr
    assert "Traceback" not in done.stderr


def test_contexts_that_are_not_there(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    directory = context(NAMED)
    for source in (
        tmp_path / "nothing",
        f"oci-layout://{tmp_path}/nothing",
        "docker-image://127.0.0.1:1/nothing",
    ):
        done = jettison.build(directory, "--build-context", f"named={source}", check=False)
        assert done.returncode == 1
        assert "nothing" in done.stderr
        assert "Traceback" not in done.stderr
    for name in (tmp_path / "nothing", tmp_path / "context/Dockerfile"):
        done = jettison.build(name, check=False)
        assert done.returncode == 1
        assert str(name) in done.stderr
        assert "Traceback" not in done.stderr
