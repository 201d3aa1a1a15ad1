"""Fetching from a server that cuts off, is busy, knows no ranges, or leads elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jettison.distroless.fetch import ATTEMPTS, Fetcher, FileSource, Network
from jettison.errors import Cancelled, FetchError, NotFoundError
from jettison.model.digest import sha256_digest
from jettison.model.oci import Descriptor
from jettison.store.store import Store

DATA = bytes(range(256)) * 2000
DESCRIPTOR = Descriptor("x", sha256_digest(DATA), len(DATA))


class Server(ThreadingHTTPServer):
    """``faults`` are used up one by one: bytes after which to cut off, or a negative status."""

    daemon_threads = True
    faults: list[int]
    ranges: bool
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        fault = self.server.faults.pop(0) if self.server.faults else len(DATA)
        if fault < 0 or self.path == "/missing":
            self.send_error(404 if self.path == "/missing" else -fault)
            return
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        begin = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - begin))
        self.end_headers()
        self.wfile.write(DATA[begin:][:fault])


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.faults, running.ranges, running.asked = [], True, []
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def url(server: Server, path: str = "/file") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def fetcher() -> Fetcher:
    return Fetcher(Network(), threading.Event(), pause=0.01)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_is_cut_off_goes_on_where_it_was(
    server: Server, tmp_path: Path, ranges: bool
) -> None:
    server.faults, server.ranges = [100_000, 0, -503], ranges
    get = fetcher()
    with Store.open(tmp_path / "store") as store:
        source = FileSource(get, [url(server)])
        get.again(lambda: store.blobs.fetch(DESCRIPTOR, source))
        assert store.blobs.path(DESCRIPTOR.digest).read_bytes() == DATA
    assert server.asked == ["", *["bytes=100000-"] * 3]


def test_the_next_address_is_asked_if_one_has_no_such_file(server: Server) -> None:
    source = FileSource(fetcher(), [url(server, "/missing"), url(server)])
    with source.open_blob(DESCRIPTOR) as stream:
        assert stream.read() == DATA
    with pytest.raises(NotFoundError):
        FileSource(fetcher(), [url(server, "/missing")]).open_blob(DESCRIPTOR)


def test_a_file_that_ends_early_is_fetched_again_and_given_up_in_the_end(server: Server) -> None:
    server.faults = [10, 20]
    assert fetcher().text(url(server), len(DATA)) == DATA
    server.faults = [10] * 10
    with pytest.raises(FetchError, match="broke off"):
        fetcher().text(url(server), len(DATA))
    assert len(server.asked) == 3 + ATTEMPTS


@pytest.mark.parametrize(("status", "requests"), [(403, 1), (500, ATTEMPTS)])
def test_what_may_pass_is_tried_again_and_nothing_else(
    server: Server, status: int, requests: int
) -> None:
    server.faults = [-status] * 10
    with pytest.raises(FetchError, match=f"status {status}"):
        fetcher().text(url(server), 10)
    assert len(server.asked) == requests


def test_more_than_is_allowed_is_refused(server: Server) -> None:
    with pytest.raises(FetchError, match="more than 1000 bytes"):
        fetcher().text(url(server), 1000)


def test_nothing_leads_from_the_network_to_files(server: Server) -> None:
    with pytest.raises((FetchError, NotFoundError)):
        fetcher().text(url(server, "/away"), 1 << 20)


def test_cancelling_ends_the_wait_between_attempts(server: Server) -> None:
    server.faults = [-503] * 10
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        Fetcher(Network(), cancel).text(url(server), 10)


def test_files_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "a b+c%"
    path.write_bytes(DATA)
    address = f"file://{tmp_path}/a%20b+c%25"
    get = Fetcher(Network(), threading.Event(), offline=True)
    assert get.text(address, len(DATA)) == DATA
    with FileSource(get, [address]).open_blob_from(DESCRIPTOR, 500_000) as stream:
        assert stream.read(100_000) == DATA[500_000:]
    with pytest.raises(NotFoundError):
        get.text(f"file://{tmp_path}/none", 10)
    with pytest.raises(FetchError):
        get.text(f"file://{tmp_path}", 10)
