from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox import hostca
from jettison.sandbox.secrets import MemoryFiles


def test_variable_wins_over_the_usual_places(tmp_path: Path) -> None:
    bundle = tmp_path / "mine.pem"
    bundle.touch()
    assert hostca.find_bundle({"SSL_CERT_FILE": str(bundle)}) == str(bundle)


def test_variable_that_leads_nowhere_is_passed_over() -> None:
    assert hostca.find_bundle({"SSL_CERT_FILE": "/no/such"}) == hostca.find_bundle({})


def test_mount_and_variables(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    mount, env = hostca.give(
        str(bundle), MemoryFiles(str(tmp_path)), (("PATH", "/bin"), ("PIP_CERT", "/own"))
    )
    assert mount.target == "/run/jettison-ca/ca-certificates.crt"
    assert "ro" in mount.options
    assert Path(mount.source).read_text() == "-----BEGIN CERTIFICATE-----\n"
    values = dict(env)
    assert values["PIP_CERT"] == "/own"
    assert values["SSL_CERT_FILE"] == values["NODE_EXTRA_CA_CERTS"] == mount.target
    assert len(env) == len(values)


def test_unreadable_bundle(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot read the host's CA bundle"):
        hostca.give(str(tmp_path / "none"), MemoryFiles(str(tmp_path)), ())
