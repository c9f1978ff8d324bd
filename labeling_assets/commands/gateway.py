"""`labeling-assets gateway serve`: media from ApertureDB over HTTP."""

import sys

import click


@click.group()
def gateway() -> None:
    """The media gateway, which browsers load pictures, sound and video from."""


@gateway.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that share the port (Linux)."
)
def serve(host: str, port: int, workers: int) -> None:
    """Serve until Ctrl-C or SIGTERM. Prints a line with `ready` when it listens."""
    from labeling_assets.gateway.serve import log_to_stderr
    from labeling_assets.gateway.serve import serve as run
    from labeling_assets.gateway.workers import serve_with_workers
    from labeling_assets.settings import load_settings

    log_to_stderr()
    settings = load_settings()
    if workers == 1:
        sys.exit(run(settings, host=host, port=port, announce=click.echo))
    sys.exit(serve_with_workers(settings, host=host, port=port, workers=workers, announce=click.echo))
