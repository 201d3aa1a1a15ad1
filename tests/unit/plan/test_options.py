"""Named contexts by name, and which stages ignore the cache."""

from __future__ import annotations

import pytest

from jettison.model.platform import Platform
from jettison.plan.options import NamedContext, NamedImage, NamedLocal, NamedScratch, PlanOptions

AMD64 = Platform(architecture="amd64", os="linux")
ARM64 = Platform(architecture="arm64", os="linux")


@pytest.mark.parametrize(
    ("key", "name", "found"),
    [
        ("debian", "debian", True),
        ("debian", "debian:latest", True),
        ("debian:latest", "docker.io/library/debian", True),
        ("debian", "debian:12", False),
        ("reg.example:5000/a", "reg.example:5000/a:latest", True),
        ("scratch", "scratch", False),
        ("context", "context", False),
        ("Upper", "Upper", True),
    ],
)
def test_names_compare_as_references(key: str, name: str, found: bool) -> None:
    options = PlanOptions(build_platform=AMD64, contexts={key: NamedScratch()})
    assert (options.named_context(name, AMD64) is not None) == found


def test_a_platform_key_goes_first() -> None:
    contexts: dict[str, NamedContext] = {
        "base": NamedLocal("a"),
        "base::linux/arm64": NamedImage("b"),
    }
    options = PlanOptions(build_platform=AMD64, contexts=contexts)
    assert options.named_context("base", AMD64) == ("base", NamedLocal("a"))
    assert options.named_context("base", ARM64) == ("base::linux/arm64", NamedImage("b"))


@pytest.mark.parametrize(
    ("no_cache", "ignored"),
    [(None, []), ((), ["build", "other", None]), (("Build",), ["build"])],
)
def test_no_cache(no_cache: tuple[str, ...] | None, ignored: list[str | None]) -> None:
    options = PlanOptions(build_platform=AMD64, no_cache=no_cache)
    assert [n for n in ("build", "other", None) if options.ignores_cache(n)] == ignored
