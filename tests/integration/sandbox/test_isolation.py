"""What a command in a container can see and reach of the host and of other containers."""

import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jettison.sandbox.container import SecretFile
from jettison.sandbox.namespace import Isolation
from tests.integration.sandbox.lab import Lab, Result

PYTHON = "/usr/bin/python3"


def test_no_descriptor_but_the_streams(lab: Lab) -> None:
    """Also of what the host's process has open without close-on-exec."""

    def work(isolation: Isolation) -> Result:
        for path in ("/proc/self/environ", "/"):
            os.set_inheritable(os.open(path, os.O_RDONLY), True)
        os.set_inheritable(socket.socket().detach(), True)
        return lab.run_inside(isolation, "/bin/sh", "-c", "ls -l /proc/self/fd; ls /proc/self/fd")

    listed = lab.isolated(work).out.splitlines()
    assert listed[-4:] == ["0", "1", "2", "3"]  # 3 is ls's own, on the directory
    assert all("pipe:" in line for line in listed[-8:-5])


def test_environment_is_what_is_given(lab: Lab) -> None:
    def work(isolation: Isolation) -> Result:
        names = ("SSH_AUTH_SOCK", "DOCKER_HOST", "DOCKER_CONFIG", "AWS_SECRET_ACCESS_KEY")
        os.environ.update(dict.fromkeys(names, "of-the-host"))
        script = "cat /proc/*/environ | tr '\\0' '\\n' | sort -u"
        return lab.run_inside(isolation, "/bin/sh", "-c", script)

    lines = lab.isolated(work).out.splitlines()
    assert [line for line in lines if not line.startswith(("PWD=", "SHLVL=", "OLDPWD="))] == [
        "HOME=/",
        "PATH=/bin",
    ]


def test_no_file_of_the_host(lab: Lab) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        Path(home, "credentials").write_text("of the host")
        os.chmod(f"{home}/credentials", 0o644)
        climbs = "../" * 30
        script = f"""
        cat {home}/credentials /{climbs}{home}/credentials
        cat /proc/self/root{home}/credentials /proc/1/root{home}/credentials
        cat /proc/self/cwd/{climbs}{home}/credentials
        for fd in /proc/*/fd/*; do cat $fd/{climbs}{home}/credentials; done
        ls /root /home /var/run /run"""
        result = lab.sh(script)
    assert result.out == ""
    assert "of the host" not in result.err


def test_store_is_not_there(lab: Lab) -> None:
    """Though the options of the root's overlay name the directories of its layers."""
    result = lab.sh(f"ls {lab.directory} {lab.base}; find / -xdev -name plain")
    assert result.out == ""
    assert result.err.count("No such file") == 2


def test_lower_layers_never_change(lab: Lab) -> None:
    layer = Path(lab.base, "plain/real/f")
    before = (layer.read_text(), layer.stat().st_mtime_ns, layer.stat().st_mode)
    script = """
    exec 3< /real/f
    echo changed > /real/f; echo more >> /proc/self/fd/3; chmod 777 /real/f; chown 5 /real/f
    touch -d '2001-01-01 00:00' /real/f; ln /real/f /hard; echo again > /hard; rm -rf /real /lnk
    """
    assert lab.sh(script).error is None
    assert (layer.read_text(), layer.stat().st_mtime_ns, layer.stat().st_mode) == before


@pytest.mark.parametrize(
    "path",
    [
        *("/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"),
        *("/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper", "/sys/power/state"),
        *("/proc/irq/default_smp_affinity", "/sys/fs/cgroup/cgroup.procs"),
    ],
)
def test_settings_of_the_kernel_cannot_be_written(lab: Lab, path: str) -> None:
    assert lab.sh(f"[ ! -e {path} ] || echo 0 > {path}; exit $?").status in (0, 1)
    assert lab.sh(f"[ -e {path} ] && echo 0 2>/dev/null > {path}").status != 0


def test_masked_paths_are_empty(lab: Lab) -> None:
    script = "cat /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; ls /proc/scsi"
    assert lab.sh(f"{script}; ls /proc/acpi /sys/firmware").out.replace(":", "").split() in (
        ["/proc/acpi", "/sys/firmware"],
        ["/sys/firmware"],
    )


def test_device_nodes_are_dockers(lab: Lab) -> None:
    nodes = lab.sh("cd /dev; find . -type c -o -type b | sort").out.split()
    wanted = {"./full", "./null", "./random", "./tty", "./urandom", "./zero"}
    assert wanted <= set(nodes)
    assert set(nodes) - wanted <= {"./pts/ptmx", "./console", "./ptmx"}


def test_abstract_sockets_of_the_host_without_network(lab: Lab) -> None:
    name = f"jettison-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        assert name in lab.sh("cat /proc/net/unix").out  # the host's network, as it is promised
        assert name not in lab.sh("cat /proc/net/unix", network="none").out


def test_services_on_loopback_without_network(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert lab.sh(f"nc -w 2 127.0.0.1 {port} < /dev/null", network="none").status != 0


def together(lab: Lab, first: str, second: str, **options: object) -> tuple[Result, Result]:
    """The outcome of two commands that run at the same time, the second once the first does."""

    def work(isolation: Isolation) -> list[Result]:
        results: dict[int, Result] = {}

        def one(number: int, script: str) -> None:
            results[number] = lab.run_inside(isolation, "/bin/sh", "-c", script, **options)

        lab.runtime(isolation)
        threads = []
        for number, script in enumerate((first, second)):
            threads.append(threading.Thread(target=one, args=(number, script)))
            threads[-1].start()
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        return [results[0], results[1]]

    a, b = lab.isolated(work)
    return a, b


def test_containers_that_run_at_the_same_time_do_not_see_each_other(lab: Lab) -> None:
    first = "for f in /tmp/t /dev/shm/s /f; do echo mine > $f; done; sleep 1.5; : a"
    second = "ls /tmp /dev/shm; cat /f; ps -o args; cat /proc/mounts; hostname changed; ipcs -q"
    a, b = together(lab, first, second)
    assert a.status == 0
    assert "mine" not in b.out
    assert "sleep 1.5" not in b.out
    assert b.out.startswith("/dev/shm:\n\n/tmp:\n")


def test_secret_of_a_step_is_not_seen_by_another(lab: Lab) -> None:
    def work(isolation: Isolation) -> str:
        said: list[str] = []

        def other() -> None:
            time.sleep(0.5)
            script = "cat /s /run/secrets/*; cat /proc/*/root/s; find / -name s -type f 2>&-"
            said.append(lab.run_inside(isolation, "/bin/sh", "-c", script).out)

        lab.runtime(isolation)
        thread = threading.Thread(target=other)
        thread.start()
        mount = SecretFile(target="/s", data=b"hush")
        held = lab.run_inside(
            isolation, "/bin/sh", "-c", "sleep 1.5; cat /s", container_mounts=(mount,)
        )
        thread.join()
        assert held.out == "hush"
        return "".join(said)

    assert "hush" not in lab.isolated(work)


def with_python(lab: Lab, script: str, **options: object) -> Result:
    """``script`` run by the host's Python, whose files are shown read-only."""
    from jettison.sandbox.container import Bind

    if not os.path.exists(PYTHON):
        pytest.skip(f"needs {PYTHON}")
    shown = [Bind(source=p, target=p) for p in ("/usr", "/lib", "/lib64") if os.path.exists(p)]
    return lab.run(PYTHON, "-I", "-S", "-c", script, container_mounts=shown, **options)


SYSCALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number, *arguments in {calls}:
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    print(name, "ok" if result != -1 else errno.errorcode[ctypes.get_errno()])
"""
CALLS: list[
    tuple[Any, ...]
] = [  # x86-64 numbers; each would be permitted to root outside (or fail with another error)
    ("add_key", 248, b"user", b"name", b"x", 1, -3),
    ("keyctl", 250, 0, -3, 0),
    ("request_key", 249, b"user", b"name", None, 0),
    ("bpf", 321, 0, None, 0),
    ("userfaultfd", 323, 0),
    ("perf_event_open", 298, None, 0, -1, -1, 0),
    ("unshare user", 272, 0x10000000),
    ("unshare mount", 272, 0x00020000),
    ("setns", 308, -1, 0),
    ("mount", 165, b"none", b"/tmp", b"tmpfs", 0, None),
    ("pivot_root", 155, b"/", b"/"),
    ("kexec_load", 246, 0, 0, None, 0),
    ("init_module", 175, None, 0, b""),
    ("reboot", 169, 0, 0, 0, None),
    ("open_by_handle_at", 304, -1, None, 0),
    ("io_uring_setup", 425, 1, None),
    ("settimeofday", 164, None, None),
    ("swapon", 167, b"/f", 0),
]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are x86-64's")
def test_dangerous_system_calls_are_refused(lab: Lab) -> None:
    """Docker's profile: refused with EPERM, before the kernel looks at the arguments."""
    result = with_python(lab, SYSCALLS.format(calls=repr(CALLS)))
    assert result.err == ""
    assert result.out.splitlines() == [f"{call[0]} EPERM" for call in CALLS]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are x86-64's")
def test_clone_of_a_user_namespace_and_clone3(lab: Lab) -> None:
    """clone with a namespace is refused; clone3, whose flags no filter sees, is "not there"."""
    calls = [("clone", 56, 0x10000000 | 17, 0, 0, 0, 0), ("clone3", 435, None, 0)]
    result = with_python(lab, SYSCALLS.format(calls=repr(calls)))
    assert result.out.splitlines() == ["clone EPERM", "clone3 ENOSYS"]


def test_debuggers_work(lab: Lab) -> None:
    """ptrace of own children is permitted from Linux 4.8 on, as in docker's profile."""
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    os._exit(libc.ptrace(0, 0, None, None) & 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert with_python(lab, script).out == "0\n"


def test_set_user_id_programs_work(lab: Lab) -> None:
    """sudo in RUN: no_new_privs is off, as BuildKit has it (executor/oci, WithNewPrivileges)."""
    if not os.path.exists(PYTHON):
        pytest.skip(f"needs {PYTHON}")
    script = "cp /usr/bin/id /bin/su-id; chmod 4755 /bin/su-id"
    inner = "import os; os.setgid(1000); os.setuid(1000); os.execv('/bin/su-id', ['id', '-u'])"
    from jettison.sandbox.container import Bind

    shown = [Bind(source=p, target=p) for p in ("/usr", "/lib", "/lib64") if os.path.exists(p)]
    result = lab.sh(f'{script}; {PYTHON} -I -S -c "{inner}"', container_mounts=shown)
    assert (result.out, result.err) == ("0\n", "")


PTY = """
import os, pty, sys
parent, child = pty.openpty()
print(os.ttyname(child))
os.write(child, b"through\\n")
print(os.read(parent, 100))
sys.stdout.flush()
status = pty.spawn(["/bin/sh", "-c", "tty; [ -t 0 ] && echo terminal"])
print(os.waitstatus_to_exitcode(status), oct(os.stat(os.ttyname(child)).st_mode & 0o777))
"""


@pytest.mark.parametrize("uid", [0, 1000])
def test_programs_can_open_pseudo_terminals(lab: Lab, uid: int) -> None:
    result = with_python(lab, PTY, uid=uid, gid=uid)
    assert result.err == ""
    assert result.out.replace("\r", "").splitlines() == [
        *("/dev/pts/0", "b'through\\r\\n'", "/dev/pts/1", "terminal", "0 0o620")
    ]


def test_pseudo_terminals_are_own(lab: Lab) -> None:
    """Those of the host and of other containers are not there."""
    parent, child = os.openpty()
    try:
        assert lab.sh("ls /dev/pts; ls -l /dev/ptmx").out.split()[0] == "ptmx"
    finally:
        os.close(parent)
        os.close(child)


def test_script_of_util_linux(lab: Lab) -> None:
    from jettison.sandbox.container import Bind

    program = subprocess.run(["which", "script"], capture_output=True, text=True, check=False)
    if program.returncode != 0:
        pytest.skip("needs script")
    shown = [Bind(source=p, target=p) for p in ("/usr", "/lib", "/lib64") if os.path.exists(p)]
    command = f"{program.stdout.strip()} -qec 'tty' /dev/null"
    result = lab.sh(command, container_mounts=shown, env=(("PATH", "/bin"), ("SHELL", "/bin/sh")))
    assert result.out.strip() == "/dev/pts/0"
