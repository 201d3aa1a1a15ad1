import os
import tempfile
from pathlib import Path

from jettison.store.trees import remove_tree, tree_size


def test_removes_all_kinds_of_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    top = tmp_path / "top"
    (top / "a/b/c").mkdir(parents=True)
    (top / "a/b/c/file").write_text("x")
    (top / "a/link").symlink_to(outside)
    (top / "a/b/loop").symlink_to(".")
    os.mkfifo(top / "a/fifo")
    (top / os.fsdecode(b"\xff\xfe")).write_text("")
    remove_tree(top)
    assert not top.exists()
    assert (outside / "kept").exists()


def test_missing_trees_and_single_files(tmp_path: Path) -> None:
    remove_tree(tmp_path / "missing")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").write_text("")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_depth_beyond_path_max_and_recursion(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 50, dir_fd=fd)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    remove_tree(top)
    assert not top.exists()


def test_directories_without_permissions() -> None:
    with tempfile.TemporaryDirectory() as parent:  # pytest's own are closed to other users
        top = Path(parent) / "top"
        (top / "shut/inner").mkdir(parents=True)
        (top / "shut/inner/file").write_text("")
        for path in (top / "shut/inner/file", top / "shut/inner", top / "shut", top):
            path.chmod(0)
            if os.geteuid() == 0:  # do it as somebody whom permissions bind
                os.chown(path, 65534, 65534)
        if os.geteuid() == 0:
            os.chown(parent, 65534, 65534)
            _as_nobody(top)
        else:
            remove_tree(top)
        assert not top.exists()


def _as_nobody(top: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            remove_tree(top)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_tree_size_counts_linked_files_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(os.urandom(100_000))
    alone = tree_size(tmp_path)
    os.link(tmp_path / "d/a", tmp_path / "d/b")
    assert tree_size(tmp_path) == alone
    assert alone >= 100_000
    assert tree_size(tmp_path / "missing") == 0
