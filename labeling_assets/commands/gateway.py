"""`labeling-assets gateway serve`: media from ApertureDB over HTTP."""

import sys

import click


@click.group()
def gateway() -> None:
    """The media gateway, which browsers load pictures, sound and video from."""


@gateway.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM. Prints a line with `ready` when it listens."""
    import logging

    from labeling_assets.gateway.serve import serve as run
    from labeling_assets.settings import load_settings

    # Of libraries only warnings: httpx would log whole addresses, and what gives access with them.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("labeling_assets").setLevel(logging.INFO)
    sys.exit(run(load_settings(), host=host, port=port, announce=click.echo))
