"""What pages refer to exists: files, headings, tests, dependencies."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.integration.docs.blocks import PAGES, ROOT, blocks, prose, read

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(read(page)), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in _LINK.findall(prose(read(page))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            name = str(target.resolve().relative_to(ROOT))
            assert anchor in anchors(name), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_blocks_say_their_language(page: str) -> None:
    assert [b.lines[:1] for b in blocks(read(page)) if not b.info] == []


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_are_named_exist(page: str) -> None:
    for file, name in _TEST.findall(read(page)):
        assert (ROOT / file).is_file(), f"{page}: {file}"
        if name:
            found = re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.M)
            assert found, f"{page}: {file}::{name}"


def test_files_of_the_source_that_are_named_exist() -> None:
    """`package/module.py` in docs/ARCHITECTURE.md and docs/SECURITY.md."""
    for page in ("docs/ARCHITECTURE.md", "docs/SECURITY.md"):
        named = re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", read(page))
        assert named
        missing = [x for x in named if not x.startswith("tests/")
                   and not (ROOT / "src" / "jettison" / x).is_file()]  # fmt: skip
        assert missing == [], page


def test_the_index_names_every_page() -> None:
    links = {link.partition("#")[0] for link in _LINK.findall(read("docs/index.md"))}
    pages = {p.removeprefix("docs/") for p in PAGES if p.startswith("docs/")}
    top = {p for p in pages if "/" not in p} - {"index.md"}
    assert top <= links
    assert "commands/README.md" in links


def test_dependencies_are_those_of_the_package() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    wanted = {re.split(r"[^\w-]", text)[0] for text in project["dependencies"]}
    table = read("docs/DEPENDENCIES.md").partition("## Programs")[0]
    assert set(re.findall(r"^\| ([\w-]+) \|", table, re.M)) - {"package"} == wanted
    for text in project["optional-dependencies"]["dev"]:
        assert re.split(r"[^\w-]", text)[0] in table
