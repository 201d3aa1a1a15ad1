"""What provenance is asked for."""

from __future__ import annotations

from msgspec import Struct

MODES = ("min", "max")
VERSIONS = ("v0.2", "v1")
DEFAULT_VERSION = "v0.2"


class ProvenanceOptions(Struct, frozen=True, kw_only=True):
    """``--provenance`` (BuildKit, docs/attestations/slsa-provenance.md).

    ``mode`` min leaves out build arguments, secrets, the Dockerfile and the steps. ``filename`` is
    the file beside the outputs tar and local; ``inline_only`` leaves it out there.
    """

    mode: str = "max"
    version: str = DEFAULT_VERSION
    builder_id: str = ""
    reproducible: bool = False
    filename: str = "provenance.json"
    inline_only: bool = False
    complete_materials: bool = False
