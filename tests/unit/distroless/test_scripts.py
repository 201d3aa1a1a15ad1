"""Which maintainer scripts do something that nothing declares."""

from __future__ import annotations

import pytest

from jettison.distroless.scripts import COVERED, Uncovered, is_covered, uncovered
from jettison.errors import DistrolessError

HARMLESS = """\
#!/bin/sh
set -e
# a remark: useradd
case "$1" in
    configure)
    ;;
    abort-upgrade|abort-remove) ;;
    *)
        echo "postinst called with unknown argument" >&2
        exit 1
    ;;
esac
# Automatically added by dh_installsystemd/13.11.4
deb-systemd-helper enable x.service
touch /var/x
# End automatically added section
exit 0
"""


def test_scripts_that_do_nothing_are_silent() -> None:
    assert uncovered("x", {"postinst": HARMLESS.encode(), "control": b""}) is None
    assert uncovered("x", {}) is None


@pytest.mark.parametrize(
    "line",
    [
        "adduser --system mysql",
        "chown root:adm /var/log/x",
        "mkdir -p /var/lib/x",
        "update-alternatives --install /usr/bin/a a /usr/bin/b 1",
        "ln -s a b",
        "/usr/sbin/something --generate",
    ],
)
def test_what_a_script_does_is_told(line: str) -> None:
    script = HARMLESS.replace("exit 0", line)
    assert uncovered("x", {"postinst": script.encode()}) == Uncovered("x", "postinst", line)
    assert uncovered("x", {"preinst": script.encode()}) == Uncovered("x", "preinst", line)
    assert uncovered("x", {"prerm": script.encode()}) is None


def test_sections_of_helpers_that_are_not_known_count() -> None:
    script = HARMLESS.replace("dh_installsystemd/13.11.4", "dh_sysuser/1")
    assert uncovered("x", {"postinst": script.encode()}) == Uncovered(
        "x", "postinst", "touch /var/x"
    )


def test_other_interpreters_and_programs_are_told() -> None:
    found = uncovered("x", {"postinst": b"#!/usr/bin/perl\nprint 1;\n"})
    assert found == Uncovered("x", "postinst", "#!/usr/bin/perl")
    binary = uncovered("x", {"preinst": b"\x7fELF\x02"})
    assert binary is not None
    assert binary.line.startswith("a program")


def test_covered_packages() -> None:
    touch = {"postinst": b"#!/bin/sh\ntouch /x\n"}
    for name in ("tzdata", "python3.11-minimal", "openjdk-17-jre-headless", "libpython3-stdlib"):
        assert is_covered(name), name
        assert uncovered(name, touch) is None
    for name in ("openjdk-x-jre-headless", "tzdata-legacy", "openjdk-17-jdk"):
        assert not is_covered(name), name
    assert all(reason for reason in COVERED.values())


def test_diversions_are_refused() -> None:
    script = b"#!/bin/sh\ndpkg-divert --package x --add --rename /bin/sh\n"
    with pytest.raises(DistrolessError, match="x diverts files of other packages"):
        uncovered("x", {"preinst": script})
