"""An HTTP server of one file, which breaks off when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """`cuts`: after how many bytes each of the first answers ends; `tag`: the file's mark, "" for none."""

    def __init__(self, content: bytes, cuts: list[int], tag: str, *, ranges: bool) -> None:
        self.content, self.cuts, self.tag, self.ranges = content, cuts, tag, ranges
        self.asked: list[str | None] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if not request.path.endswith(".bin"):
            request.send_error(404)
            return
        begin = 0
        if asked and self.ranges and request.headers.get("If-Range") == self.tag:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        if begin > len(self.content):
            request.send_error(416)
            return
        request.send_response(206 if begin else 200)
        request.send_header("Content-Length", str(len(self.content) - begin))
        if self.tag:
            request.send_header("ETag", self.tag)
        request.end_headers()
        rest = self.content[begin:]
        request.wfile.write(rest[: self.cuts.pop(0)] if self.cuts else rest)


@contextmanager
def file_server(
    content: bytes, cuts: list[int] | None = None, tag: str = '"v1"', *, ranges: bool = True
) -> Iterator[FileServer]:
    """The server, on a port that the system chose."""
    served = FileServer(content, cuts or [], tag, ranges=ranges)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
