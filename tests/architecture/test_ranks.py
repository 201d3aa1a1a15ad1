"""A package imports only packages of a lower rank (docs/ARCHITECTURE.md)."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "jettison"
RANKS = {
    "errors": 0,
    "model": 1,
    "dockerfile": 2,
    "packages": 2,
    "binfmt": 2,
    "fs": 2,
    "report": 2,
    "plan": 3,
    "image": 3,
    "store": 3,
    "sandbox": 3,
    "lint": 4,
    "closure": 4,
    "solve": 4,
    "export": 4,
    "attest": 4,
    "registry": 4,
    "distroless": 4,
    "app": 5,
    "cli": 6,
}


def imports_of(path: Path) -> set[str]:
    """Packages of jettison that a file imports, also inside functions and for typing."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [node.module]
            if node.module == "jettison":
                names = [f"jettison.{alias.name}" for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("jettison.")}
    return found


def package_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


FILES = sorted(p for p in SRC.rglob("*.py") if p.parent != SRC or p.stem in RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_only_lower_ranks(path: Path) -> None:
    own = package_of(path)
    upward = {
        other
        for other in imports_of(path)
        if other != own and RANKS.get(other, 99) >= RANKS[own] and other not in ("__version__",)
    }
    if own == "errors":
        upward -= {"model"}  # for typing only: an error may carry the Span it happened at
    assert not upward, f"{path.relative_to(SRC)} ({own}) imports {sorted(upward)}"


def test_every_package_has_a_rank() -> None:
    packages = {package_of(p) for p in SRC.rglob("*.py")} - {"__init__", "__main__"}
    assert packages <= set(RANKS)
