"""--attest, --provenance and --sbom: text as buildx and BuildKit accept it -> the request.

Sources: buildx `util/buildflags/attests.go`, BuildKit `frontend/attestations`,
`solver/llbsolver/provenance.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jettison.attest.options import DEFAULT_VERSION, MODES, VERSIONS, ProvenanceOptions
from jettison.cli.argv import FALSE, TRUE, parse_bool
from jettison.cli.suggest import did_you_mean
from jettison.cli.values import one_of, split_csv
from jettison.errors import UsageError

TYPES = ("provenance", "sbom")
PROVENANCE_KEYS = (
    "mode", "version", "builder-id", "reproducible", "filename", "inline-only",
    "complete-materials",
)  # fmt: skip
_BUILTIN = "jettison"
_VALUE = re.compile(r"^[a-z-]+=", re.IGNORECASE)


def is_value(text: str) -> bool:
    """Whether the word after a bare ``--provenance`` or ``--sbom`` is its value, and not the
    build context: a boolean, or ``key=value``.
    """
    return text in TRUE | FALSE or _VALUE.match(text) is not None


def attestations(
    attests: Sequence[str], provenance: str | None, sbom: str | None
) -> tuple[ProvenanceOptions | None, bool]:
    """What is to be attested; of several settings for one type the last counts, and the short
    forms come after --attest. Raises UsageError.
    """
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for text in attests:
        kind, keys = _attest("--attest", text)
        found[kind] = ("--attest", keys)
    for kind, short in (("provenance", provenance), ("sbom", sbom)):
        if short:
            found[kind] = (f"--{kind}", _short(f"--{kind}", kind, short))
    wanted = {
        kind: (flag, keys) for kind, (flag, keys) in found.items() if not _disabled(flag, keys)
    }
    if "sbom" in wanted:
        _check_sbom(*wanted["sbom"])
    options = _provenance(*wanted["provenance"]) if "provenance" in wanted else None
    return options, "sbom" in wanted


def _short(flag: str, kind: str, text: str) -> dict[str, str]:
    if text in TRUE | FALSE:
        return {"disabled": "false" if text in TRUE else "true"}
    return _attest(flag, f"type={kind},{text}")[1]


def _attest(flag: str, text: str) -> tuple[str, dict[str, str]]:
    """The type of an attestation, and its other keys in lower case."""
    keys: dict[str, str] = {}
    for field in split_csv(flag, text):
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"invalid field {field!r} in {flag} {text}: must be key=value")
        keys[key.strip().lower()] = value
    kind = keys.pop("type", "")
    if not kind:
        raise UsageError(
            f"attestation type not specified in {flag} {text}",
            hint="e.g. type=provenance,mode=max or type=sbom",
        )
    if kind not in TYPES:
        hint = did_you_mean(kind, TYPES) or f"types are {' and '.join(TYPES)}"
        raise UsageError(f"unknown attestation type {kind!r}", hint=hint)
    return kind, keys


def _disabled(flag: str, keys: dict[str, str]) -> bool:
    return parse_bool(f"disabled of {flag}", keys.pop("disabled", "false"))


def _check_sbom(flag: str, keys: Mapping[str, str]) -> None:
    """There is one scanner, ours: images that scan are refused, and what is meant for them."""
    for key in keys:
        if key != "generator":
            hint = did_you_mean(key, ("generator", "disabled"))
            raise UsageError(f"unexpected key {key!r} for sbom in {flag}", hint=hint)
    generator = keys.get("generator", "")
    if generator not in ("", _BUILTIN):
        raise UsageError(
            f"the SBOM generator {generator} is not supported",
            hint="leave generator out: packages are catalogued by jettison itself",
        )


def _provenance(flag: str, keys: Mapping[str, str]) -> ProvenanceOptions:
    for key, value in keys.items():
        if key == "capture-usage" and value in FALSE:
            continue
        if key == "capture-usage":
            raise UsageError("capture-usage is not supported: no use of resources is recorded")
        if key not in PROVENANCE_KEYS:
            hint = did_you_mean(key, PROVENANCE_KEYS) or f"keys are {', '.join(PROVENANCE_KEYS)}"
            raise UsageError(f"unexpected key {key!r} for provenance in {flag}", hint=hint)
    mode = keys.get("mode", "max")
    filename = keys.get("filename") or "provenance.json"
    if "/" in filename or filename in (".", ".."):
        raise UsageError(f"filename of {flag} must be a name without directories, not {filename!r}")
    return ProvenanceOptions(
        mode="max" if mode == "full" else one_of(f"mode of {flag}", mode, MODES),
        version=one_of(f"version of {flag}", keys.get("version") or DEFAULT_VERSION, VERSIONS),
        builder_id=keys.get("builder-id", ""),
        reproducible=_switch(flag, keys, "reproducible"),
        filename=filename,
        inline_only=_switch(flag, keys, "inline-only"),
        complete_materials=_switch(flag, keys, "complete-materials"),
    )


def _switch(flag: str, keys: Mapping[str, str], key: str) -> bool:
    return parse_bool(f"{key} of {flag}", keys.get(key, "false"))
