"""A real web server for a folder: ranges, ETag, Last-Modified, redirects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from labeling_assets_tests.gateway.running import running_gateway


@contextmanager
def web_folder(folder: Path) -> Iterator[str]:
    """The address of a server of the folder's files.

    /whole/NAME is a server without ranges, /to?URL leads elsewhere, /short/NAME hangs up early, /packed/NAME says that
    it is compressed, /down is 503.
    """

    def whole(request: Request) -> Response:
        return Response((folder / request.path_params["name"]).read_bytes())

    def short(request: Request) -> Response:
        data = (folder / request.path_params["name"]).read_bytes()
        headers = {"Content-Length": str(len(data)), "Accept-Ranges": "bytes"}
        return StreamingResponse(iter([data[: len(data) // 2]]), headers=headers)

    def packed(request: Request) -> Response:
        data = (folder / request.path_params["name"]).read_bytes()
        return Response(data, headers={"Content-Encoding": "x-unknown"})

    routes = [
        Route("/whole/{name}", whole),
        Route("/short/{name}", short),
        Route("/packed/{name}", packed),
        Route("/to", lambda request: RedirectResponse(request.url.query)),
        Route("/down", lambda _: Response(status_code=503)),
        Mount("/", StaticFiles(directory=folder)),
    ]
    with running_gateway(Starlette(routes=routes)) as address:
        yield address
