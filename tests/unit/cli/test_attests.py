"""--attest, --provenance and --sbom: what is accepted, what it means, what is refused."""

from __future__ import annotations

import pytest

from jettison.attest.options import ProvenanceOptions
from jettison.cli.attests import attestations, is_value
from jettison.errors import UsageError

MAX = ProvenanceOptions()


@pytest.mark.parametrize(
    ("attests", "provenance", "sbom", "wanted"),
    [
        ((), None, None, (None, False)),
        ((), "true", None, (MAX, False)),
        ((), "false", "false", (None, False)),
        ((), "", "", (None, False)),
        ((), "mode=min,version=v1", "1", (ProvenanceOptions(mode="min", version="v1"), True)),
        ((), "mode=full", None, (MAX, False)),
        (("type=sbom", "type=provenance,mode=min"), None, None,
         (ProvenanceOptions(mode="min"), True)),
        (("type=provenance,mode=min", "type=provenance"), None, None, (MAX, False)),
        (("type=provenance,mode=min",), "mode=max,builder-id=http://b", None,
         (ProvenanceOptions(builder_id="http://b"), False)),
        (("type=provenance,disabled=true", "type=sbom,disabled=true"), None, "true", (None, True)),
        ((), "disabled=true", "generator=", (None, True)),
        ((), "reproducible=true,inline-only=1,filename=p.json", None,
         (ProvenanceOptions(reproducible=True, inline_only=True, filename="p.json"), False)),
    ],
)  # fmt: skip
def test_what_is_asked_for(
    attests: tuple[str, ...],
    provenance: str | None,
    sbom: str | None,
    wanted: tuple[ProvenanceOptions | None, bool],
) -> None:
    assert attestations(attests, provenance, sbom) == wanted


@pytest.mark.parametrize(
    ("attests", "provenance", "sbom", "message", "hint"),
    [
        (("mode=max",), None, None, "attestation type not specified", "type=provenance"),
        (("type=provenence",), None, None, "unknown attestation type 'provenence'", "provenance"),
        ((), "mode=mim", None, "invalid value 'mim' for mode", "did you mean min"),
        ((), "version=v2", None, "invalid value 'v2' for version", "did you mean v"),
        ((), "mdoe=min", None, "unexpected key 'mdoe'", "did you mean mode"),
        ((), "max", None, "invalid field 'max'", ""),
        ((), "reproducible=yes", None, "invalid value 'yes' for reproducible", "true or false"),
        ((), "filename=../x", None, "without directories", ""),
        ((), "capture-usage=true", None, "capture-usage is not supported", ""),
        ((), None, "generator=docker/scanner:1", "generator docker/scanner:1 is not supported", ""),
        ((), None, "generater=x", "unexpected key 'generater'", "did you mean generator"),
    ],
)
def test_what_is_refused(
    attests: tuple[str, ...], provenance: str | None, sbom: str | None, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        attestations(attests, provenance, sbom)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_values_are_told_from_contexts() -> None:
    assert all(map(is_value, ("true", "false", "mode=min", "generator=x", "0")))
    assert not any(map(is_value, (".", "dir", "https://x/y?a=b", "--push", "./a=b")))
