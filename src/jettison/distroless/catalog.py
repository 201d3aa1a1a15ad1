"""The bases that come with jettison: one spec each, in the package."""

from __future__ import annotations

from pathlib import Path

from jettison.distroless.spec import Spec, read_spec
from jettison.errors import DistrolessError, NotFoundError

_DIRECTORY = Path(__file__).parent / "bases"


def names() -> tuple[str, ...]:
    """Every base of the catalogue."""
    return tuple(sorted(path.stem for path in _DIRECTORY.glob("*.yaml")))


def load(spec: str) -> Spec:
    """The spec of a file (a path with a slash or ending in .yaml or .yml), or of the catalogue.

    ``include`` names are such too; paths are relative to the file that has them. Raises
    NotFoundError, with a suggestion, and DistrolessError.
    """
    data, name = _text(spec, Path())
    return read_spec(
        data, name, lambda other, by: _text(other, Path(by).parent if is_file(by) else Path())
    )


def is_file(spec: str) -> bool:
    """Whether ``spec`` names a file, and none of the catalogue."""
    return "/" in spec or spec.endswith((".yaml", ".yml"))


def _text(spec: str, directory: Path) -> tuple[bytes, str]:
    if not is_file(spec):
        if spec not in names():
            raise _unknown(spec)
        path = _DIRECTORY / f"{spec}.yaml"
        return path.read_bytes(), f"base {spec}"
    path = directory / spec
    try:
        return path.read_bytes(), str(path)
    except FileNotFoundError:
        raise NotFoundError(f"no spec {path}") from None
    except OSError as error:
        raise DistrolessError(f"cannot read {path}: {error.strerror}") from None


def _unknown(name: str) -> NotFoundError:
    from difflib import get_close_matches

    close = get_close_matches(name, names(), n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names())}"
    return NotFoundError(f"no base {name} in the catalogue", hint=f"{hint} (a file: ./{name}.yaml)")
