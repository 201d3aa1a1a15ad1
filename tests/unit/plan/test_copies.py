"""COPY and ADD (checklist sections C, X, AD as far as planning decides)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.errors import JettisonError
from jettison.plan.copies import absolute_dest, absolute_source, filename_of
from jettison.plan.steps import BuildPlan, Copy, FileSource, Git, Http, Local, Merge, PathSource

Planned = Callable[..., BuildPlan]
SUM = "sha256:" + "ab" * 32


def copy_of(plan: BuildPlan) -> Copy:
    root = plan.images[0].root
    assert isinstance(root, Copy)
    return root


def sources_of(plan: BuildPlan) -> list[PathSource]:
    return [source for source in copy_of(plan).sources if isinstance(source, PathSource)]


@pytest.mark.parametrize(
    ("path", "workdir", "dest"),
    [
        ("a", "/", "/a"),
        ("a", "/w", "/w/a"),
        ("a/", "/w", "/w/a/"),
        ("/a/", "/w", "/a/"),
        ("/a/.", "/w", "/a/."),
        (".", "/w", "/w/"),
        ("", "/w", "/w/"),
        ("./", "/w", "/w/"),
        ("..", "/w/x", "/w"),
        ("../../../a", "/w", "/a"),
        ("/", "/w", "/"),
        (".", "/", "/"),
        ("//a//b/", "/w", "/a/b/"),
    ],
)
def test_destination(path: str, workdir: str, dest: str) -> None:
    assert absolute_dest(path, workdir) == dest


@pytest.mark.parametrize(
    ("path", "parents", "source"),
    [
        ("x", False, "/x"),
        ("/x", False, "/x"),
        ("./x/", False, "/x"),
        ("../../x", False, "/x"),
        (".", False, "/"),
        ("a/./b", False, "/a/b"),
        ("a/./b/*.c", True, "/a/./b/*.c"),
        ("./a/b", True, "/a/b"),
        ("/././a", True, "/./a"),
    ],
)
def test_source(path: str, parents: bool, source: str) -> None:
    assert absolute_source(path, parents=parents) == source


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/dir/a.tgz?query=x/y#f", "a.tgz"),
        ("http://h/a%20b", "a b"),
        ("http://h/dir/", "dir"),
        ("http://h", "__unnamed__"),
        ("http://h/", "__unnamed__"),
        ("http://h/..", "__unnamed__"),
    ],
)
def test_file_name_of_a_url(url: str, name: str) -> None:
    assert filename_of(url) == name


def test_context_files_lose_their_owners(planned: Planned) -> None:
    made = planned("FROM base\nWORKDIR /w\nCOPY a* b d/\n")
    first, second = sources_of(made)
    assert isinstance(first.step, Local)
    assert (first.step.name, first.path, first.wildcard) == ("context", "/a*", True)
    assert first.reset_owner
    assert not first.unpack
    assert second.path == "/b"
    assert copy_of(made).dest == "/w/d/"


def test_add_unpacks_local_archives(planned: Planned) -> None:
    assert sources_of(planned("FROM base\nADD a /\n"))[0].unpack
    assert not sources_of(planned("FROM base\nADD --unpack=false a /\n"))[0].unpack


def test_flags_and_history(planned: Planned) -> None:
    made = planned(
        "FROM base\nENV u=1:2 d=/x\nCOPY --chown=$u --chmod=0750 --exclude=*.md --exclude=$u a $d\n"
    )
    step = copy_of(made)
    assert (step.chown, step.chmod, step.exclude) == ("1:2", "0750", ("*.md", "$u"))
    assert made.images[0].history[-1].created_by == (
        "COPY --chown=1:2 --chmod=0750 a /x # buildkit"
    )


def test_url(planned: Planned) -> None:
    made = planned(f"FROM base\nADD --checksum={SUM} --unpack https://h/d/f.tgz?x /dst\n")
    source = sources_of(made)[0]
    assert isinstance(source.step, Http)
    assert (source.step.url, source.step.filename) == ("https://h/d/f.tgz?x", "f.tgz")
    assert source.step.checksum == SUM
    assert (source.path, source.wildcard, source.unpack) == ("/f.tgz", False, True)
    assert not source.reset_owner


def test_remote_archives_stay_packed(planned: Planned) -> None:
    assert not sources_of(planned("FROM base\nADD https://h/f.tgz /dst\n"))[0].unpack


def test_git(planned: Planned) -> None:
    text = "FROM base\nADD --keep-git-dir --checksum=abc https://h/r.git#v1:sub /dst\n"
    step = sources_of(planned(text))[0].step
    assert isinstance(step, Git)
    assert (step.url, step.ref, step.subdir) == ("https://h/r.git", "v1", "sub")
    assert (step.keep_git_dir, step.checksum, step.submodules) == (True, "abc", True)


def test_heredocs_follow_the_paths(planned: Planned) -> None:
    made = planned("FROM base\nENV x=1\nCOPY <<one path <<'two' /d/\n$x \\$x 'q'\none\n$x\ntwo\n")
    path, one, two = copy_of(made).sources
    assert isinstance(path, PathSource)
    assert one == FileSource(name="one", content=b"1 $x 'q'\n", mode=0o644)
    assert two == FileSource(name="two", content=b"$x\n", mode=0o644)
    assert made.images[0].history[-1].created_by == "COPY path <<one <<two /d/ # buildkit"


def test_link_is_made_apart_and_merged(planned: Planned) -> None:
    made = planned("FROM base\nRUN x\nCOPY --link --chown=5 a /d/\n")
    merge = made.images[0].root
    assert isinstance(merge, Merge)
    assert isinstance(merge.upper, Copy)
    assert merge.upper.root is None
    assert merge.root is made.images[0].history[0].step
    assert made.images[0].history[-1].step is merge
    assert made.infos[merge].name == "[3/3] LINK COPY --link --chown=5 a /d/"


def test_link_is_ignored_with_chmod(planned: Planned) -> None:
    assert copy_of(planned("FROM base\nCOPY --link --chmod=755 a /d/\n")).root is not None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COPY https://h/x /", "source can't be a URL for COPY"),
        ("COPY https://h/x.git /", "source can't be a git ref for COPY"),
        ("COPY --chmod=64a a /", "invalid chmod parameter: '64a'"),
        ("COPY --chmod=10000 a /", "invalid chmod parameter"),
        ("COPY --chmod=u+q a /", "invalid chmod parameter"),
        ("COPY --link --chown=name a /", "--chown=name"),
        (f"ADD --checksum={SUM} a /", "requires HTTP"),
        (f"ADD --checksum={SUM} https://h/a https://h/b /", "multiple sources"),
        ("ADD --checksum=md5:00 https://h/a /", "invalid digest"),
        ("ADD --keep-git-dir=false https://h/a.git?keep-git-dir=true /", "inconsistent"),
        ("ADD --checksum=a https://h/a.git?checksum=b /", "checksum mismatch"),
        ("ADD https://h/a.git?nonsense=b /", "unexpected query"),
        ("COPY a${x:?} /", "x"),
    ],
)
def test_errors(planned: Planned, line: str, message: str) -> None:
    with pytest.raises(JettisonError, match=message) as caught:
        planned(f"FROM base\n{line}\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 2


@pytest.mark.parametrize("mode", ["0", "7777", "u=rwX,go=rX", "a+x", "+t", "g=u", "u+s-w", "-x"])
def test_modes(planned: Planned, mode: str) -> None:
    assert copy_of(planned(f"FROM base\nCOPY --chmod={mode} a /\n")).chmod == mode


@given(st.text("ab/.*", max_size=12), st.text("ab/.", max_size=8))
def test_paths_stay_below_the_root(path: str, workdir: str) -> None:
    for made in (
        absolute_dest(path, "/" + workdir),
        absolute_source(path, parents=False),
        absolute_source(path, parents=True),
    ):
        assert made.startswith("/")
        assert not made.startswith("//")
        assert ".." not in made.split("/")
