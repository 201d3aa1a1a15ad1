import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jettison.errors import SandboxError
from jettison.sandbox.inroot import make_directories, resolve


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "a/b"),
        ("a/./b//", "a/b"),
        ("/", ""),
        ("/../../x", "x"),
        ("/absolute/f", "etc/f"),
        ("/relative/f", "etc/f"),
        ("/escape/f", "f"),
        ("/chain/f", "etc/f"),
        ("/missing/../x", "x"),
        ("/dir/up/f", "etc/f"),
        ("/absolute", "etc"),
        ("/file/below", "file/below"),
    ],
)
def test_links_are_followed_inside_the_root(tmp_path: Path, path: str, expected: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    links = {
        "absolute": "/etc",
        "relative": "etc",
        "escape": "../../../..",
        "chain": "dir/../absolute",
        "dir/up": "../../../../etc",
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    assert resolve(str(tmp_path), path) == str(tmp_path / expected)


def test_endless_links_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SandboxError, match="too many symbolic links"):
        resolve(str(tmp_path), "/a/x")


names = st.sampled_from(["a", "b", "..", ".", "", "link", "abs", "up"])


@settings(max_examples=200)
@given(st.lists(names, max_size=8), st.lists(names, max_size=4))
def test_never_leaves_the_root(
    tmp_path_factory: pytest.TempPathFactory, path: list[str], target: list[str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "a").mkdir()
    (root / "link").symlink_to("/".join(target) or ".")
    (root / "abs").symlink_to("/" + "/".join(target))
    (root / "a" / "up").symlink_to("../../../..")
    try:
        place = resolve(str(root), "/" + "/".join(path))
    except SandboxError:
        return
    assert os.path.normpath(place) == place.rstrip("/")
    assert place.rstrip("/") == str(root) or place.startswith(f"{root}/")


def test_directories_are_made_with_parents_and_mode(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("/real")
    old = os.umask(0o077)
    try:
        make_directories(str(tmp_path), "/link/x/y", os.getuid(), os.getgid())
    finally:
        os.umask(old)
    assert oct((tmp_path / "real/x/y").stat().st_mode) == "0o40755"
    assert oct((tmp_path / "real/x").stat().st_mode) == "0o40755"


def test_existing_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    make_directories(str(tmp_path), "/d", 0, 0)
    assert oct((tmp_path / "d").stat().st_mode) == "0o40700"


@pytest.mark.parametrize("path", ["/f", "/f/below"])
def test_file_in_the_way_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(SandboxError, match="not a directory"):
        make_directories(str(tmp_path), path, 0, 0)
