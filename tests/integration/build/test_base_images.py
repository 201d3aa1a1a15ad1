"""Base images from registries: kept under their names, so that the network is asked once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support.layouts import Entry, Layout
from tests.integration.support.runner import Jettison, problems
from tests.integration.support.server import Registry, run_registry

pytestmark = pytest.mark.root


@pytest.fixture
def own(tmp_path: Path) -> Jettison:
    """A store that holds nothing yet."""
    return Jettison(tmp_path / "store")


def offer(registry: Registry, place: Path, content: bytes) -> None:
    """Put an image for two architectures, with ``content`` in /who, into the registry."""
    layout = Layout(place)
    images = {
        arch: layout.image([[Entry("who", content + arch.encode())]], arch=arch)
        for arch in ("amd64", "arm64")
    }
    layout.tag("it", layout.index(images))
    registry.load(place, "it", "base:1")


def built(jettison: Jettison, directory: Path, out: Path, *flags: str) -> str:
    """What the built file system holds in /who."""
    platform = ("--platform", "linux/amd64") if "--platform" not in flags else ()
    jettison.build(directory, *platform, *flags, "--output", f"type=local,dest={out}")
    return (out / "who").read_text()


def test_the_second_build_needs_no_registry(
    own: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    with run_registry(tmp_path / "registry") as registry:
        offer(registry, tmp_path / "first", b"first ")
        name = registry.name("base:1")
        directory = context(f"FROM {name}\nCOPY f /f\n", f="content")
        assert built(own, directory, tmp_path / "a") == "first amd64"
    assert name in own.names()
    (directory / "f").write_text("other content")
    assert built(own, directory, tmp_path / "b") == "first amd64"
    assert (tmp_path / "b/f").read_text() == "other content"


def test_pull_asks_the_registry_again(
    own: Jettison, context: Callable[..., Path], tmp_path: Path, registry: Registry
) -> None:
    offer(registry, tmp_path / "first", b"first ")
    directory = context(f"FROM {registry.name('base:1')}\nCOPY f /f\n", f="content")
    assert built(own, directory, tmp_path / "a") == "first amd64"
    offer(registry, tmp_path / "second", b"second ")
    assert built(own, directory, tmp_path / "b") == "first amd64"
    assert built(own, directory, tmp_path / "c", "--pull") == "second amd64"
    assert built(own, directory, tmp_path / "d") == "second amd64"


def test_another_platform_of_a_known_name_comes_from_the_registry(
    own: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    with run_registry(tmp_path / "registry") as registry:
        offer(registry, tmp_path / "first", b"first ")
        directory = context(f"FROM {registry.name('base:1')}\nCOPY f /f\n", f="content")
        for arch in ("amd64", "arm64"):
            flags = ("--platform", f"linux/{arch}")
            assert built(own, directory, tmp_path / arch, *flags) == f"first {arch}"
    assert built(own, directory, tmp_path / "b", "--platform", "linux/arm64") == "first arm64"


def test_documents_without_their_layers_do_not_stand_for_an_image(
    own: Jettison, context: Callable[..., Path], tmp_path: Path, registry: Registry
) -> None:
    """One platform is kept; of the other a check has left the documents, and nothing more."""
    offer(registry, tmp_path / "first", b"first ")
    directory = context(f"FROM {registry.name('base:1')}\nLABEL a=b\n")
    assert built(own, directory, tmp_path / "a", "--platform", "linux/arm64") == "first arm64"
    assert own("build", "--check", "--platform", "linux/amd64", directory).returncode == 0
    assert built(own, directory, tmp_path / "b") == "first amd64"


def test_the_base_of_a_stage_that_is_not_needed_is_not_kept(
    own: Jettison, context: Callable[..., Path], tmp_path: Path, registry: Registry
) -> None:
    offer(registry, tmp_path / "first", b"first ")
    name = registry.name("base:1")
    directory = context(f"FROM {name} AS unused\nFROM scratch\nCOPY f /who\n", f="x")
    assert built(own, directory, tmp_path / "a") == "x"
    assert own.names() == []


def test_what_was_kept_in_part_is_saved_in_part_and_not_pushed(
    own: Jettison, context: Callable[..., Path], tmp_path: Path, registry: Registry
) -> None:
    offer(registry, tmp_path / "first", b"first ")
    name = registry.name("base:1")
    built(own, context(f"FROM {name}\n"), tmp_path / "a")
    own("save", "-o", tmp_path / "saved.tar", name)
    assert problems(tmp_path / "saved.tar") == []
    own("tag", name, registry.name("copy:1"))
    done = own("push", registry.name("copy:1"), check=False)
    assert done.returncode == 1
    assert "--all-platforms" in done.stderr
    own("pull", "--all-platforms", name)
    own("push", registry.name("copy:1"))
    assert len(registry.inspect("copy:1", "--raw")["manifests"]) == 2


def test_an_image_pulled_for_one_platform_does_not_stand_for_another(
    own: Jettison, context: Callable[..., Path], tmp_path: Path, registry: Registry
) -> None:
    offer(registry, tmp_path / "first", b"first ")
    name = registry.name("base:1")
    own("pull", "--platform", "linux/amd64", name)
    directory = context(f"FROM {name}\nCOPY f /f\n", f="content")
    other = built(own, directory, tmp_path / "a", "--platform", "linux/arm64")
    assert other == "first arm64"
