"""A web server on loopback: a directory's files, and its bare git repositories."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Web:
    """``root`` is what is served, ``url`` where; ``requests`` are the paths asked for.

    ``authorization`` is the header wanted of everyone, ``redirects`` lead from paths to URLs.
    """

    root: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    authorization: str = ""
    redirects: dict[str, str] = field(default_factory=dict)


class _Handler(SimpleHTTPRequestHandler):
    web: Web

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.web.requests.append(self.path)
        if not self.welcome():
            return
        if ".git/" in self.path:
            self.git()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.web.requests.append(self.path)
        if self.welcome():
            self.git()

    def welcome(self) -> bool:
        """Whether to go on; if not, the request is answered."""
        wanted, target = self.web.authorization, self.web.redirects.get(self.path)
        if wanted and self.headers.get("Authorization") != wanted:
            self.send_error(401)
        elif target:
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
        return not ((wanted and self.headers.get("Authorization") != wanted) or target)

    def git(self) -> None:
        """Hand the request to git's own CGI program (git-http-backend(1))."""
        parts = urlsplit(self.path)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.web.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            env=environment,
            input=body,
            capture_output=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def run_web(root: Path) -> Iterator[Web]:
    """A server that lives as long as the ``with`` block."""
    web = Web(root)

    class Handler(_Handler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(root), **named)

    Handler.web = web
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


class Git:
    """A repository to commit to, and the bare one that is served."""

    def __init__(self, work: Path, bare: Path) -> None:
        self.work = work
        self._bare = bare
        work.mkdir(parents=True)
        self("init", "--quiet", "--initial-branch=main", ".")
        self("init", "--quiet", "--bare", "--initial-branch=main", str(bare))

    def __call__(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(
            ["git", "-C", str(self.work), *identity, *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files (``__`` in a name stands for ``/``); returns the commit."""
        for name, content in files.items():
            path = self.work / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self("add", "--all")
        self("commit", "--quiet", "--message", "change")
        return self("rev-parse", "HEAD")

    def publish(self) -> None:
        self("push", "--quiet", "--mirror", str(self._bare))
