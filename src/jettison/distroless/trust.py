"""OpenPGP signatures of archives, verified with the certificates an archive is signed by.

Sequoia does the cryptography (docs/DEPENDENCIES.md says why not gpgv): what it returns is exactly
the text that was signed, whatever stands around it.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jettison.distroless.model import Archive
from jettison.errors import DistrolessError, TrustError

if TYPE_CHECKING:
    from pysequoia import Cert

_MAX_KEYRING = 16 << 20
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


class Certificates:
    """Those who may sign an archive."""

    def __init__(self, certificates: Sequence[Cert], archive: Archive) -> None:
        self._certificates = list(certificates)
        self._fingerprints = set(archive.fingerprints)
        self._archive = archive

    def verify(self, signed: bytes) -> bytes:
        """The text of an InRelease file (cleartext signature, RFC 9580 section 7).

        Raises TrustError unless one of the certificates has signed it.
        """
        import pysequoia

        if not signed.startswith(_SIGNED):
            raise TrustError(
                f"{self._archive.name}: its InRelease is no signed text",
                hint="is the address that of an archive? Something else may answer for it",
            )
        return self._text(lambda: pysequoia.verify(signed, store=self._all))

    def verify_detached(self, text: bytes, signature: bytes) -> bytes:
        """``text``, a Release file that Release.gpg is the signature of. Raises TrustError."""
        import pysequoia

        def check() -> Any:
            return pysequoia.verify(
                bytes=text, store=self._all, signature=pysequoia.Sig.from_bytes(signature)
            )

        self._text(check)
        return text

    def _all(self, key_ids: object) -> list[Cert]:
        return self._certificates

    def _text(self, verify: Any) -> bytes:
        name = self._archive.name
        try:
            result = verify()
        except Exception as error:  # the library raises RuntimeError and others for bad input
            reason = str(error).partition("\n")[0].strip()
            raise TrustError(
                f"{name}: the Release file is not signed by a key of the archive: {reason}",
                hint=f"the keys are those of {_where(self._archive)}; is it the archive's keyring, "
                "and as new as the archive?",
            ) from None
        signers = {
            fingerprint
            for signature in result.valid_sigs
            for fingerprint in (signature.certificate, signature.signing_key)
        }
        if not signers or (self._fingerprints and not signers & self._fingerprints):
            raise TrustError(
                f"{name}: the Release file is signed by {', '.join(sorted(signers)) or 'nobody'}",
                hint=f"it must be signed by {', '.join(sorted(self._fingerprints))}",
            )
        return bytes(result.bytes or b"")


def load_certificates(archive: Archive, etc: Path, keyrings: Path) -> Certificates:
    """The certificates of an archive: those it names, else those that apt trusts on this host
    (``trusted.gpg`` and ``trusted.gpg.d`` in ``etc``), else the distributions' in ``keyrings``.

    Raises TrustError if there are none, or if they cannot be read.
    """
    import pysequoia

    try:
        texts = [key.encode() for key in archive.keys]
        paths = [Path(path) for path in archive.keyrings]
        if not texts and not paths:
            paths = _default(etc, keyrings)
        texts += [_read(path) for path in paths]
        found = [
            c for text in texts for part in _blocks(text) for c in pysequoia.Cert.split_bytes(part)
        ]
    except OSError as error:
        raise TrustError(
            f"{archive.name}: the keyring {error.filename} cannot be read: {error.strerror}",
            hint="install the distribution's keyring (debian-archive-keyring), or name another "
            "with signed-by",
        ) from None
    except DistrolessError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].strip()
        raise TrustError(f"{archive.name}: a keyring is malformed: {reason}") from None
    if not found:
        raise TrustError(
            f"{archive.name}: no key is known that it could be signed by",
            hint="install the distribution's keyring (debian-archive-keyring), or name one with "
            "signed-by",
        )
    return Certificates(found, archive)


def _default(etc: Path, keyrings: Path) -> list[Path]:
    trusted = [etc / "trusted.gpg"] if (etc / "trusted.gpg").is_file() else []
    for pattern in ("*.gpg", "*.asc"):
        directory = glob.escape(str(etc / "trusted.gpg.d"))
        trusted += sorted(map(Path, glob.glob(f"{directory}/{pattern}")))
    names = ("debian-archive-keyring", "ubuntu-archive-keyring")
    found = [keyrings / f"{name}.{kind}" for name in names for kind in ("pgp", "gpg")]
    return trusted + [path for path in found if path.is_file()]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_MAX_KEYRING + 1)
    if len(data) > _MAX_KEYRING:
        raise TrustError(f"the keyring {path} is too large")
    return data


def _blocks(data: bytes) -> list[bytes]:
    """Armored blocks one by one, as a file may have several; binary data as it is."""
    if _BEGIN not in data:
        return [data] if data else []
    return [_BEGIN + part for part in data.split(_BEGIN)[1:]]


def _where(archive: Archive) -> str:
    return ", ".join(archive.keyrings) or ("the source itself" if archive.keys else "this host")
