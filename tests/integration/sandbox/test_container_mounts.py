"""RUN --mount: what is seen at the targets, and that the root keeps no trace."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from jettison.sandbox.container import Bind, SecretFile, SshSocket, Tmpfs, TreeBind
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, Result


@pytest.fixture
def context(lab: Lab) -> str:
    """A directory of the host with ``f`` (orig) and ``d/f``, owned by who runs the container."""
    place = os.path.join(lab.directory, "context")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(f"{place}/d")
    Path(place, "f").write_text("orig\n")
    Path(place, "d/f").write_text("deep\n")
    if lab.uid is not None:
        for path in (place, f"{place}/d", f"{place}/f", f"{place}/d/f"):
            os.chown(path, lab.uid, lab.uid)
    return place


def test_bind_is_read_only(lab: Lab, context: str) -> None:
    result = lab.sh(
        "cat /c/f; touch /c/x || echo refused",
        container_mounts=(Bind(source=context, target="/c"),),
    )
    assert result.out == "orig\nrefused\n"
    assert result.changes == []
    assert sorted(os.listdir(context)) == ["d", "f"]


def test_writes_to_a_discarding_bind_are_thrown_away(lab: Lab, context: str) -> None:
    result = lab.sh(
        "echo changed > /c/f; cat /c/f; touch /c/new; rm -r /c/d; ls /c",
        container_mounts=(Bind(source=context, target="/c", discard=True),),
    )
    assert result.out == "changed\nf\nnew\n"
    assert sorted(os.listdir(context)) == ["d", "f"]
    assert Path(context, "f").read_text() == "orig\n"
    assert result.changes == []


def test_writable_bind_writes_through(lab: Lab, context: str) -> None:
    lab.sh(
        "echo kept > /c/new",
        container_mounts=(Bind(source=context, target="/c", read_only=False),),
    )
    assert Path(context, "new").read_text() == "kept\n"


def test_single_file(lab: Lab, context: str) -> None:
    result = lab.sh(
        "cat /x/file /e; echo y > /e && cat /e",
        container_mounts=(
            Bind(source=f"{context}/d/f", target="/x/file"),
            Bind(source=f"{context}/f", target="/e", discard=True),
        ),
    )
    assert result.out == "deep\norig\ny\n"
    assert Path(context, "f").read_text() == "orig\n"
    assert result.changes == []


def test_tree_of_layers_with_links_resolved(lab: Lab) -> None:
    result = lab.sh(
        "cat /t/f; touch /t/x || echo refused; cat /one; touch /w/bin/y && ls /w",
        container_mounts=(
            TreeBind(layers=lab.layers, source="/lnk", target="/t"),
            TreeBind(layers=("plain",), source="lnk/f", target="/one"),
            TreeBind(layers=lab.layers, target="/w", read_only=False),
        ),
    )
    assert result.out == "real\nrefused\nreal\nbin\ndev\netc\nlnk\nproc\nreal\nsys\ntmp\n"
    assert result.changes == []


@pytest.mark.parametrize(
    "mount",
    [TreeBind(layers=("plain",), source="/none", target="/t"), Bind(source="/none", target="/t")],
)
def test_missing_source(lab: Lab, mount: Bind | TreeBind) -> None:
    result = lab.run("/bin/true", container_mounts=(mount,))
    assert result.error is not None
    assert result.error.message == "cannot mount /none: no such file or directory"


def test_read_only_tmpfs(lab: Lab) -> None:
    tmpfs = Tmpfs(target="/real", read_only=True)
    assert lab.sh("touch /real/mine", container_mounts=(tmpfs,)).status == 1


def test_a_mount_on_etc_hides_the_generated_files(lab: Lab) -> None:
    result = lab.sh("ls -A /etc", container_mounts=(Tmpfs(target="/etc"),))
    assert (result.out, result.status) == ("", 0)


def test_tmpfs_is_empty_open_to_all_and_limited(lab: Lab) -> None:
    result = lab.sh(
        "ls -A /new; stat -c %a /new; df -k /new | tail -1; touch /new/mine",
        container_mounts=(Tmpfs(target="/new", size=2 << 20),),
        uid=1000,
        gid=1000,
    )
    assert result.out.split()[:3] == ["1777", "tmpfs", "2048"]
    assert (result.status, result.changes) == (0, [])


def test_secret_file(lab: Lab) -> None:
    result = lab.sh(
        "stat -c '%a %u:%g' /run/secrets/a /b; cat /run/secrets/a; echo x > /b; "
        "grep /run/secrets/a /proc/self/mountinfo | grep -o ' tmpfs '",
        container_mounts=(
            SecretFile(target="/run/secrets/a", data=b"hidden\n"),
            SecretFile(target="/b", data=b"", uid=5, gid=6, mode=0o440),
        ),
    )
    assert result.out == "400 0:0\n440 5:6\nhidden\n tmpfs \n"
    assert "Read-only" in result.err
    assert result.changes == []


def test_secret_is_on_no_disk(lab: Lab) -> None:
    """While the command runs, no file of the host's disk under the scratch directory holds it."""

    def work(isolation: Isolation) -> tuple[Result, list[str]]:
        # The host's own view of the directory: where it was before anything was mounted on it.
        result = lab.run_inside(
            isolation,
            "/bin/sh",
            "-c",
            "cat /s > /dev/null",
            container_mounts=(SecretFile(target="/s", data=b"TOPSECRET"),),
        )
        found = [
            os.path.join(directory, name)
            for directory, _, names in os.walk(lab.directory)
            for name in names
            if stat.S_ISREG(os.lstat(os.path.join(directory, name)).st_mode)
            and b"TOPSECRET" in Path(directory, name).read_bytes()
        ]
        return result, found

    result, found = lab.isolated(work)
    assert (result.status, found) == (0, [])


def test_script_given_as_a_file_can_be_executed(lab: Lab) -> None:
    script = SecretFile(target="/dev/pipes/EOF", data=b"#!/bin/sh\necho ran\n", mode=0o755)
    result = lab.run("/dev/pipes/EOF", container_mounts=(script,))
    assert (result.status, result.out, result.changes) == (0, "ran\n", [])


def test_target_below_a_link_is_resolved_in_the_root(lab: Lab, context: str) -> None:
    """BuildKit's recorded result of the conformance case with a link as target."""
    result = lab.sh(
        "cat /lnk/in/f /real/in/f; ls /real",
        container_mounts=(Bind(source=f"{context}/d", target="/lnk/in"),),
    )
    assert result.out == "deep\ndeep\nf\nin\n"
    assert result.changes == []


def test_points_vanish_unless_something_was_written_beside(lab: Lab, context: str) -> None:
    result = lab.sh("touch /a/beside", container_mounts=(Bind(source=context, target="/a/b/c"),))
    assert result.changes == ["/a/beside: file 0644 0:0", "/a: dir 0755 0:0"]


def test_hidden_directory_is_unchanged(lab: Lab, context: str) -> None:
    result = lab.sh("ls /real", container_mounts=(Bind(source=context, target="/real"),))
    assert (result.out, result.changes) == ("d\nf\n", [])


def test_nested_mounts_in_any_order(lab: Lab, context: str) -> None:
    result = lab.sh(
        "ls /c; cat /c/d/s; ls /c/d",
        container_mounts=(
            SecretFile(target="/c/d/s", data=b"inner\n"),
            Tmpfs(target="/c/d"),
            Bind(source=context, target="/c"),
        ),
    )
    assert result.out == "d\nf\ninner\ns\n"
    assert result.changes == []


def test_later_mount_on_the_same_target_wins(lab: Lab, context: str) -> None:
    result = lab.sh(
        "ls /c",
        container_mounts=(Tmpfs(target="/c"), Bind(source=context, target="/c/")),
    )
    assert result.out == "d\nf\n"


def test_tmpfs_has_the_mode_of_what_it_hides(lab: Lab) -> None:
    """As runc gives it: chmod(2) after mount(2)."""
    command = "chmod 750 /real; cat /proc/mounts | grep ' /real '; stat -c %a /real"
    first = lab.sh(command, container_mounts=(Tmpfs(target="/real"),))
    options = first.out.split()[3].split(",")
    assert {"rw", "nosuid"} <= set(options) and not {"nodev", "noexec"} & set(options)
    result = lab.sh("stat -c %a /real /etc", container_mounts=(Tmpfs(target="/etc"),))
    assert result.out.split() == ["755", "755"]


def test_tmpfs_on_dev_has_devices(lab: Lab) -> None:
    result = lab.sh(
        "ls /dev; echo x > /dev/null; touch /dev/shm/mine; df -k /dev | tail -1",
        container_mounts=(Tmpfs(target="/dev", size=1 << 20),),
    )
    assert result.status == 0
    assert {"null", "pts", "shm", "zero", "fd"} <= set(result.out.split())
    assert "1024" in result.out.split()


@pytest.mark.parametrize("target", ["/", "/..", "/real/.."])
def test_root_is_no_target(lab: Lab, target: str) -> None:
    result = lab.run("/bin/true", container_mounts=(Tmpfs(target=target),))
    assert result.error is not None
    assert result.error.message.startswith("cannot mount on")


def test_file_on_a_directory(lab: Lab) -> None:
    result = lab.run("/bin/true", container_mounts=(SecretFile(target="/real", data=b""),))
    assert result.error is not None
    assert result.error.message == "cannot mount a file on /real, which is a directory"


def test_ssh_socket_has_its_owner_and_mode(lab: Lab) -> None:
    def work(isolation: Isolation) -> Result:
        path = os.path.join(lab.directory, "agent")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            try:
                return lab.run_inside(
                    isolation,
                    "/bin/sh",
                    "-c",
                    "for s in /run/buildkit/ssh_agent.0 /b; do stat -c '%F %a %u:%g' $s; done",
                    container_mounts=(
                        SshSocket(target="/run/buildkit/ssh_agent.0", agent=path),
                        SshSocket(target="/b", agent=path, uid=100, gid=102, mode=0o741),
                    ),
                )
            finally:
                os.unlink(path)

    result = lab.isolated(work)
    assert result.out == "socket 600 0:0\nsocket 741 100:102\n"
    assert result.changes == []


def test_host_ca_is_shown_and_leaves_no_trace(lab: Lab, context: str) -> None:
    result = lab.sh("cat $CURL_CA_BUNDLE; echo $SSL_CERT_FILE", ca_bundle=f"{context}/f")
    assert result.out == "orig\n/run/jettison-ca/ca-certificates.crt\n"
    assert result.changes == []
