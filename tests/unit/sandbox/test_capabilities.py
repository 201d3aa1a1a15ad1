from jettison.sandbox import capabilities


def test_default_set_is_dockers() -> None:
    numbers = [capabilities.NAMES.index(name) for name in capabilities.DEFAULT]
    assert sum(1 << number for number in numbers) == 0xA80425FB


def test_default_set_by_name() -> None:
    assert set(capabilities.DEFAULT) == {
        *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD"),
        *("CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP"),
        *("CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
    }


def test_numbers_of_the_kernel_header() -> None:
    numbers = {"CAP_CHOWN": 0, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27, "CAP_SETFCAP": 31}
    numbers |= {"CAP_SYSLOG": 34, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40}
    assert {name: capabilities.NAMES.index(name) for name in numbers} == numbers


def test_current_are_those_of_this_process() -> None:
    with open("/proc/self/status") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff"))
    assert len(capabilities.current()) == mask.bit_count()
