import os
import stat
from pathlib import Path

import pytest

from jettison.errors import StoreError
from jettison.store.paths import default_root
from jettison.store.store import Store


@pytest.mark.parametrize(
    ("environment", "uid", "root"),
    [
        ({"JETTISON_ROOT": "/srv/j", "XDG_DATA_HOME": "/x"}, 0, "/srv/j"),
        ({"JETTISON_ROOT": "/srv/j", "HOME": "/h"}, 1000, "/srv/j"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/root"}, 0, "/var/lib/jettison"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/h"}, 1000, "/x/jettison"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/h"}, 1000, "/h/.local/share/jettison"),
        ({"HOME": "/h", "JETTISON_ROOT": ""}, 1000, "/h/.local/share/jettison"),
    ],
)
def test_default_root(environment: dict[str, str], uid: int, root: str) -> None:
    assert default_root(environment, uid) == Path(root)


def test_default_root_needs_a_home() -> None:
    with pytest.raises(StoreError, match="HOME"):
        default_root({}, 1000)


def test_a_relative_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_root({"JETTISON_ROOT": "here"}, 0) == tmp_path / "here"


def test_a_new_store_is_an_oci_layout_only_its_owner_enters(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        Store.open(tmp_path / "a/b").close()
    finally:
        os.umask(previous)
    root = tmp_path / "a/b"
    assert sorted(p.name for p in root.iterdir()) == [
        "blobs", "index.json", "layers", "locks", "logs", "mounts", "oci-layout", "tmp",
    ]  # fmt: skip
    assert (root / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "layers").stat().st_mode) == 0o700


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("")
    with pytest.raises(StoreError, match="neither empty nor a store"):
        Store.open(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letters"]


def test_a_half_made_store_is_completed(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/index.json.new").write_text("{")
    Store.open(tmp_path).close()
    with Store.open(tmp_path) as store:
        assert store.names.list() == []


def test_another_tools_layout_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    with Store.open(tmp_path) as store:
        assert store.cache.get("k") is None
    assert (tmp_path / "index.json").read_text() == '{"schemaVersion":2,"manifests":[]}'


def test_what_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use the store"):
        Store.open(tmp_path / "file/store")
