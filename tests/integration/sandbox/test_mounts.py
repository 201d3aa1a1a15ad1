import os
from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import mounts, syscalls
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, describe


class Place:
    """Directories for one overlay, made in the Lab."""

    def __init__(self, lab: Lab, name: str, layers: int, prefix: str = "l") -> None:
        self.base = os.path.join(lab.directory, f"mounts-{name}")
        self.names = [f"{prefix}{number}" for number in range(layers)]
        for part in ("upper", "work", "root", *self.names):
            os.makedirs(os.path.join(self.base, part))
        for number, layer in enumerate(self.names):
            Path(self.base, layer, "same").write_text(str(number))
            Path(self.base, layer, f"only{number}").touch()

    def path(self, name: str) -> str:
        return os.path.join(self.base, name)


@pytest.mark.parametrize("count", [1, 2, 127, 500])
def test_layers_are_stacked_bottom_first(lab: Lab, count: int) -> None:
    def work(isolation: Isolation) -> tuple[str, int]:
        # Names as long as digests: far more than a page of options in all.
        place = Place(lab, f"stack{count}", count, prefix="x" * 64)
        with mounts.stack(
            place.path("root"),
            base=place.base,
            lowers=place.names,
            upper=place.path("upper"),
            work=place.path("work"),
            userxattr=isolation.rootless,
        ) as root:
            return Path(root, "same").read_text(), len(os.listdir(root))

    assert lab.isolated(work) == (str(count - 1), count + 1)


def test_more_layers_than_the_kernel_takes(lab: Lab) -> None:
    with (
        pytest.raises(SandboxError, match="501 layers"),
        mounts.stack("/none", base="/", lowers=["x"] * 501, userxattr=False),
    ):
        pass


@pytest.mark.parametrize("count", [0, 1, 3])
def test_without_upper_the_tree_is_read_only(lab: Lab, count: int) -> None:
    def work(isolation: Isolation) -> tuple[int, str]:
        place = Place(lab, f"readonly{count}", count)
        with mounts.stack(
            place.path("root"), base=place.base, lowers=place.names, userxattr=isolation.rootless
        ) as root:
            try:
                Path(root, "new").touch()
            except OSError as error:
                return len(os.listdir(root)), error.strerror or ""
        return 0, "written"

    expected = count + 1 if count else 0
    assert lab.isolated(work) == (expected, "Read-only file system")


def test_empty_root_takes_changes(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[list[str], list[str]]:
        place = Place(lab, "empty", 0)
        with mounts.stack(
            place.path("root"),
            base=place.base,
            lowers=[],
            upper=place.path("upper"),
            work=place.path("work"),
            userxattr=isolation.rootless,
        ) as root:
            os.mkdir(f"{root}/d")
        return describe(place.path("upper")), os.listdir(place.path("root"))

    assert lab.isolated(work) == (["/d: dir 0755 0:0"], [])


def test_changes_take_overlay_form(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[list[str], bytes]:
        place = Place(lab, "form", 2)
        os.makedirs(place.path("l0/dir/sub"))
        with mounts.stack(
            place.path("root"),
            base=place.base,
            lowers=place.names,
            upper=place.path("upper"),
            work=place.path("work"),
            userxattr=isolation.rootless,
        ) as root:
            os.unlink(f"{root}/only0")
            os.rmdir(f"{root}/dir/sub")
            os.rmdir(f"{root}/dir")
            os.mkdir(f"{root}/dir")
        prefix = "user" if isolation.rootless else "trusted"
        opaque = os.getxattr(place.path("upper/dir"), f"{prefix}.overlay.opaque")
        return describe(place.path("upper")), opaque

    assert lab.isolated(work) == (["/dir: dir 0755 0:0", "/only0: whiteout"], b"y")


def test_a_directory_of_lower_layers_is_not_redirected(lab: Lab) -> None:
    """rename(2) fails, so that programs copy; a redirect would be lost in a layer's tar."""

    def work(isolation: Isolation) -> int:
        place = Place(lab, "redirect", 2)
        os.makedirs(place.path("l0/dir"))
        with mounts.stack(
            place.path("root"),
            base=place.base,
            lowers=place.names,
            upper=place.path("upper"),
            work=place.path("work"),
            userxattr=isolation.rootless,
        ) as root:
            try:
                os.rename(f"{root}/dir", f"{root}/moved")
            except OSError as error:
                return error.errno or 0
        return 0

    assert lab.isolated(work) == 18  # EXDEV


def test_odd_characters_in_paths(lab: Lab) -> None:
    def work(isolation: Isolation) -> str:
        place = Place(lab, "odd: a,b=c\\d", 3)
        with mounts.stack(
            place.path("root"),
            base=place.base,
            lowers=place.names,
            upper=place.path("upper"),
            work=place.path("work"),
            userxattr=isolation.rootless,
        ) as root:
            return Path(root, "same").read_text()

    assert lab.isolated(work) == "2"


def test_missing_layer_is_named(lab: Lab) -> None:
    def work(isolation: Isolation) -> str:
        place = Place(lab, "missing", 1)
        with (
            pytest.raises(SandboxError) as caught,
            mounts.stack(
                place.path("root"),
                base=place.base,
                lowers=["l0", "gone"],
                userxattr=isolation.rootless,
            ),
        ):
            pass
        return caught.value.message

    assert "mounts-missing/gone" in lab.isolated(work)


def test_busy_mount_goes_away_at_once(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[list[str], bytes]:
        place = Place(lab, "busy", 1)
        with mounts.bind(place.path("l0"), place.path("root")) as root:
            descriptor = os.open(f"{root}/same", os.O_RDONLY)
        return os.listdir(place.path("root")), os.read(descriptor, 10)

    assert lab.isolated(work) == ([], b"0")


def test_read_only_bind(lab: Lab) -> None:
    def work(isolation: Isolation) -> str:
        place = Place(lab, "bind", 1)
        with mounts.bind(place.path("l0"), place.path("root"), flags=syscalls.MS_RDONLY) as root:
            try:
                Path(root, "same").write_text("x")
            except OSError as error:
                return error.strerror or ""
        return "written"

    assert lab.isolated(work) == "Read-only file system"


def test_working_directory_of_the_process_stays(lab: Lab) -> None:
    """The mounter's thread goes elsewhere; nobody else does."""

    def work(isolation: Isolation) -> bool:
        before = os.getcwd()
        place = Place(lab, "cwd", 2)
        with mounts.stack(
            place.path("root"), base=place.base, lowers=place.names, userxattr=isolation.rootless
        ):
            return os.getcwd() == before

    assert lab.isolated(work)
