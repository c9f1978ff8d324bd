"""A tiny web server with the files, and the answers, that a manifest's URLs may meet."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def served(files: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a server of `files`.

    /loop leads to itself for ever, /zip is no gzip, /busy/NAME is 503 at the first time, /down is 429 always; the
    rest is 404.
    """
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/").partition("?")[0]
            first = name.startswith("busy/") and name not in asked
            asked.add(name)
            name = name.removeprefix("busy/")
            status = 302 if name == "loop" else 200 if name == "zip" or name in files else 404
            status = 429 if name == "down" else 503 if first else status
            body = files.get(name, b"not what it says")
            self.send_response(status)
            if name == "loop":
                self.send_header("Location", "/loop")
            if status in (429, 503):
                self.send_header("Retry-After", "0")
            if name == "zip":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
