"""A small HTTP server on a loopback port, for servers that are to be had as no package."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[str, Mapping[str, str]], tuple[int, bytes]]


@contextmanager
def serving(
    answer: Answer,
    *,
    tls: tuple[Path, Path] | None = None,
    location: str = "",
    hear: Callable[[bytes], int] = lambda _: 405,
) -> Iterator[str]:
    """The address at which `answer` tells status and body for a path and headers.

    tls: files of its certificate and key. location: of every answer, empty for none.
    hear: takes what is posted, and gives the status.
    """

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the name is http.server's

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self.send_response(hear(self.rfile.read(length)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
