"""RUN's container: what the command sees, and what is left of it."""

import os
import threading
import time
from pathlib import Path

import pytest

from jettison.errors import Cancelled
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, Result, only_changes


def test_streams_and_status(lab: Lab) -> None:
    result = lab.sh("echo to-out; echo to-err >&2; exit 3")
    assert (result.status, result.out, result.err) == (3, "to-out\n", "to-err\n")


def test_output_comes_as_it_is_written(lab: Lab) -> None:
    def work(isolation: Isolation) -> tuple[list[float], float]:
        from jettison.sandbox import container
        from jettison.sandbox.spec import ContainerSpec

        seen: list[float] = []
        place = os.path.join(lab.directory, "streaming")
        os.mkdir(place)
        container.run_in(
            lab.runtime(isolation),
            ContainerSpec(args=("/bin/sh", "-c", "echo first; sleep 0.5")),
            layers=lab.layers,
            base=lab.base,
            upper=None,
            work=None,
            scratch=place,
            on_output=lambda stream, data: seen.append(time.monotonic()),
        )
        return seen, time.monotonic()

    seen, end = lab.isolated(work)
    assert len(seen) == 1
    assert end - seen[0] > 0.4


def test_changes_are_in_the_upper_directory(lab: Lab) -> None:
    result = lab.sh(
        "echo x > /new; mkdir -m 700 /d; chown 5:6 /d; ln -s new /l; mkfifo -m 600 /p; "
        "rm /etc/hostname; chmod 4755 /real/f"
    )
    assert only_changes(result) == [
        "/d: dir 0700 5:6",
        "/etc/hostname: whiteout",
        "/etc: dir 0755 0:0",
        "/l: link 0777 0:0",
        "/new: file 0644 0:0",
        "/p: fifo 0600 0:0",
        "/real/f: file 4755 0:0",
        "/real: dir 0755 0:0",
    ]


def test_device_nodes(lab: Lab) -> None:
    result = lab.sh("mknod /chr c 1 7 && mknod /blk b 8 1")
    if lab.rootless:
        assert result.status != 0
    else:
        assert only_changes(result) == ["/blk: block 0644 0:0", "/chr: char 0644 0:0"]


def test_devices_of_the_host_are_out_of_reach(lab: Lab) -> None:
    if lab.rootless:
        return
    result = lab.sh("mknod /disk b 254 0; head -c 1 /disk")
    assert result.status == 1
    assert "Operation not permitted" in result.err


def test_default_capabilities(lab: Lab) -> None:
    result = lab.sh("grep -E 'Cap(Eff|Inh|Bnd|Amb)|NoNewPrivs' /proc/self/status; umask")
    assert result.out.split() == [
        *("CapInh:", "0000000000000000", "CapEff:", "00000000a80425fb"),
        *("CapBnd:", "00000000a80425fb", "CapAmb:", "0000000000000000"),
        *("NoNewPrivs:", "0", "0022"),
    ]


def test_no_mounting_by_default(lab: Lab) -> None:
    assert lab.sh("mkdir /m; mount -t tmpfs t /m").status != 0
    assert lab.sh("unshare -U true").status != 0


def test_insecure_can_mount(lab: Lab) -> None:
    result = lab.sh("mkdir /m && mount -t tmpfs t /m && touch /m/f && ls /m", insecure=True)
    assert (result.status, result.out) == (0, "f\n")


def test_seccomp_is_on_by_default_and_off_if_insecure(lab: Lab) -> None:
    assert lab.sh("grep ^Seccomp: /proc/self/status").out.split()[1] == "2"
    assert lab.sh("grep ^Seccomp: /proc/self/status", insecure=True).out.split()[1] == "0"


def test_user_groups_and_environment(lab: Lab) -> None:
    env = (("PATH", "/bin"), ("A", "1 2"), ("EMPTY", ""))
    result = lab.sh("id; env | sort", uid=1000, gid=1001, groups=(1002,), env=env)
    lines = result.out.splitlines()
    assert lines[0] == "uid=1000 gid=1001 groups=1002"
    assert [line for line in lines[1:] if not line.startswith(("PWD=", "SHLVL="))] == [
        *("A=1 2", "EMPTY=", "HOME=/", "PATH=/bin")
    ]


def test_user_can_write_to_its_standard_output_by_name(lab: Lab) -> None:
    result = lab.sh("echo x > /dev/stdout", uid=1000, gid=1000)
    assert (result.status, result.out) == (0, "x\n")


def test_working_directory_is_made_if_it_is_missing(lab: Lab) -> None:
    result = lab.sh("pwd", cwd="/new/deep", uid=7, gid=8)
    assert result.out == "/new/deep\n"
    assert only_changes(result) == ["/new/deep: dir 0755 7:8", "/new: dir 0755 7:8"]


def test_standard_input_is_empty_and_no_terminal(lab: Lab) -> None:
    result = lab.sh("cat; tty; [ -t 1 ] || echo none")
    assert result.out == "not a tty\nnone\n"


def test_background_processes_end_with_the_command(lab: Lab) -> None:
    mark = f"777.{os.getpid()}"
    started = time.monotonic()
    result = lab.sh(f"(while true; do sleep {mark}; done) & setsid sleep {mark} & echo started")
    assert (result.status, result.out) == (0, "started\n")
    assert time.monotonic() - started < 5
    assert not running(mark)


def test_own_processes_only(lab: Lab) -> None:
    result = lab.sh("ls /proc | grep -c '^[0-9]'; echo $$")
    assert int(result.out.split()[0]) <= 4
    assert result.out.split()[1] == "1"


def test_host_name_hosts_and_resolv_conf(lab: Lab) -> None:
    result = lab.sh(
        "hostname; cat /etc/hostname; cat /etc/hosts; cat /etc/resolv.conf; touch /etc/hosts",
        extra_hosts=(("db", "10.0.0.5"),),
    )
    resolv = Path("/etc/resolv.conf").read_text() if os.path.exists("/etc/resolv.conf") else ""
    assert result.out == (
        "buildkitsandbox\nbase\n127.0.0.1\tlocalhost buildkitsandbox\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.5\tdb\n" + resolv
    )
    assert "Read-only" in result.err
    assert [line for line in result.changes if line.startswith("/etc/")] == []


def test_images_own_hosts_file_survives(lab: Lab) -> None:
    def upper_after(isolation: Isolation) -> list[str]:
        layer = os.path.join(lab.base, "withhosts")
        os.makedirs(os.path.join(layer, "etc"), exist_ok=True)
        Path(layer, "etc/hosts").write_text("mine\n")
        return lab.run_inside(isolation, "/bin/true", layers=("busybox", "withhosts")).changes

    assert [line for line in lab.isolated(upper_after) if "etc" in line] == []


def test_empty_root_keeps_the_system_directories_only(lab: Lab) -> None:
    """BuildKit's recorded result for RUN on an almost empty root."""

    def work(isolation: Isolation) -> Result:
        layer = os.path.join(lab.base, "one")
        os.makedirs(layer, exist_ok=True)
        Path(layer, "busybox").write_bytes(Path(lab.base, "busybox/bin/busybox").read_bytes())
        os.chmod(os.path.join(layer, "busybox"), 0o755)
        script = "echo hi > /out; /busybox ls / > /ls; /busybox cat /ls"
        return lab.run_inside(isolation, "/busybox", "sh", "-c", script, layers=("one",))

    result = lab.isolated(work)
    assert result.out.split() == "busybox dev etc ls out proc sys".split()
    assert result.changes == [
        "/dev: dir 0755 0:0",
        "/ls: file 0644 0:0",
        "/out: file 0644 0:0",
        "/proc: dir 0755 0:0",
        "/sys: dir 0755 0:0",
    ]


def test_system_directories_are_not_committed(lab: Lab) -> None:
    result = lab.sh("touch /dev/x /dev/shm/y && echo ok")
    assert result.out == "ok\n"
    assert result.changes == []


def test_network_none_has_loopback_only(lab: Lab) -> None:
    result = lab.sh("cd /sys/class/net && echo *; ip link show lo", network="none")
    assert result.out.splitlines()[0] == "lo"
    assert "UP" in result.out


@pytest.mark.parametrize("network", ["default", "host"])
def test_network_of_the_host_is_shared(lab: Lab, network: str) -> None:
    result = lab.sh("readlink /proc/self/ns/net", network=network)
    assert result.out.strip() == os.readlink("/proc/self/ns/net")


def test_shared_memory_and_ulimits(lab: Lab) -> None:
    result = lab.sh(
        "df -k /dev/shm | tail -1; ulimit -n; ulimit -Hn",
        shm_size=1 << 20,
        ulimits=(("nofile", 100, 200),),
    )
    words = result.out.split()
    assert (words[1], words[-2:]) == ("1024", ["100", "200"])


@pytest.mark.parametrize(
    ("args", "message", "status"),
    [
        (("/no/such",), "program /no/such not found", 127),
        (("nosuch",), "program nosuch not found in $PATH (/bin)", 127),
        (("/etc/hostname",), "program /etc/hostname is not executable", 126),
    ],
)
def test_program_that_cannot_run(
    lab: Lab, args: tuple[str, ...], message: str, status: int
) -> None:
    result = lab.run(*args)
    assert result.error is not None
    assert result.error.message == message
    assert vars(result.error)["kind"] == "RunError"
    assert vars(result.error)["status"] == status


def test_argument_that_is_not_utf8(lab: Lab) -> None:
    result = lab.run("/bin/echo", "a\udcffb")
    assert result.error is not None
    assert result.error.message == "argument 1 of the command is not UTF-8"


def test_variable_that_is_not_utf8_is_named_without_its_value(lab: Lab) -> None:
    result = lab.run("/bin/true", env=(("TOKEN", "hush\udcff"),))
    assert result.error is not None
    assert result.error.message == "the environment variable TOKEN is not UTF-8"


def test_without_upper_changes_are_thrown_away(lab: Lab) -> None:
    result = lab.sh("echo x > /new && cat /new", upper=None)
    assert (result.out, result.changes) == ("x\n", [])


def test_cancel_ends_everything_within_a_second(lab: Lab) -> None:
    mark = f"778.{os.getpid()}"

    def work(isolation: Isolation) -> float:
        cancel = threading.Event()
        moment: list[float] = []

        def later() -> None:
            time.sleep(0.4)
            moment.append(time.monotonic())
            cancel.set()

        thread = threading.Thread(target=later)
        thread.start()
        script = f"trap '' INT TERM; setsid sleep {mark} & while true; do sleep {mark}; done"
        with pytest.raises(Cancelled):
            lab.run_inside(isolation, "/bin/sh", "-c", script, cancel=cancel)
        thread.join()
        return time.monotonic() - moment[0]

    assert lab.isolated(work) < 1
    assert not running(mark)


def test_many_at_once(lab: Lab) -> None:
    def work(isolation: Isolation) -> list[str]:
        results: list[str] = []

        def one(number: int) -> None:
            results.append(lab.run_inside(isolation, "/bin/echo", str(number)).out)

        threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(results)

    assert lab.isolated(work) == [f"{n}\n" for n in range(6)]


def test_nothing_changed_leaves_nothing(lab: Lab) -> None:
    assert lab.run("/bin/true").changes == []


def running(mark: str) -> list[str]:
    """The command lines of living processes that hold ``mark``."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in line and int(name) != os.getpid():
            found.append(line)
    return found


def test_two_runs_share_no_state(lab: Lab) -> None:
    assert lab.sh("touch /tmp/a /dev/shm/b; echo done").out == "done\n"
    assert lab.sh("ls /tmp /dev/shm").out.split() == ["/dev/shm:", "/tmp:"]
