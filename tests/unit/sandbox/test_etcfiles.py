import pytest

from jettison.sandbox import etcfiles


def test_hosts_name_the_container_and_extra_hosts() -> None:
    assert etcfiles.hosts("box", [("db", "10.0.0.5"), ("six", "fe80::1")]) == (
        b"127.0.0.1\tlocalhost box\n"
        b"::1\tlocalhost ip6-localhost ip6-loopback\n"
        b"10.0.0.5\tdb\n"
        b"fe80::1\tsix\n"
    )


PUBLIC = ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"]


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        (b"nameserver 127.0.0.1\nnameserver 10.1.1.1\n", ["10.1.1.1"]),
        (b"nameserver ::1\nnameserver fe80::1%eth0\n", ["fe80::1%eth0"]),
        (b"nameserver 127.0.0.53\n", PUBLIC),
        (b"", PUBLIC),
        (b"# nameserver 1.2.3.4\nsearch x\n", PUBLIC),
        (b"nameserver not-an-address\n", ["not-an-address"]),
    ],
)
def test_local_servers_are_of_no_use_in_another_network(text: bytes, servers: list[str]) -> None:
    assert etcfiles.name_servers(etcfiles.without_local_servers(text)) == servers


def test_other_lines_are_kept() -> None:
    text = b"# made by \xff\nsearch example.org\noptions ndots:2\nnameserver 127.0.0.1\n"
    result = etcfiles.without_local_servers(text)
    assert result.startswith(b"# made by \xff\nsearch example.org\noptions ndots:2\nnameserver 8")


def test_shared_network_gets_the_hosts_file_unchanged() -> None:
    try:
        with open("/etc/resolv.conf", "rb") as file:
            expected = file.read()
    except FileNotFoundError:
        expected = b""
    assert etcfiles.resolv_conf(shared_network=True) == expected
