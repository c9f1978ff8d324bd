"""`labeling-assets aperturedb`: the local ApertureDB-compatible server, and what real servers do differently."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click


@click.group()
def aperturedb() -> None:
    """The local server for trying out, development and tests, and probes of any server."""


@aperturedb.command()
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of its database.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=55555, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--rest-port", type=click.IntRange(0, 65535), help="Also answer REST on this port.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Certificate, PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its private key, PEM.")
@click.option("--username", default="admin", show_default=True, help="The only user.")
@click.option(
    "--password",
    envvar="LABELING_ASSETS_APERTUREDB_PASSWORD",
    show_envvar=True,
    required=True,
    help="Its password; in the environment other users of the machine cannot read it.",
)
@click.option(
    "--token",
    envvar="LABELING_ASSETS_APERTUREDB_TOKEN",
    show_envvar=True,
    help="Its personal token, which begins with adbp_.",
)
@click.option("--max-message-mb", default=256, show_default=True, type=click.IntRange(1, 2047), help="In and out.")
@click.option("--max-connections", default=2000, show_default=True, type=click.IntRange(1), help="At the same time.")
@click.option(
    "--idle-seconds",
    default=3600,
    show_default=True,
    type=click.IntRange(1),
    help="Close a connection after so long without a query.",
)
def serve(
    data: Path,
    host: str,
    *,
    port: int,
    rest_port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    username: str,
    password: str,
    token: str | None,
    max_message_mb: int,
    max_connections: int,
    idle_seconds: int,
) -> None:
    """Serve until Ctrl-C or SIGTERM. Prints a line with `ready` when it listens."""
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("Give --tls-cert and --tls-key together, or neither.")
    from labeling_assets.local_aperturedb.errors import LocalServerError
    from labeling_assets.local_aperturedb.limits import Limits
    from labeling_assets.local_aperturedb.serve import serve as run

    limits = Limits(message_bytes=max_message_mb * 2**20, connections=max_connections, idle_seconds=idle_seconds)
    try:
        code = run(
            data=data,
            host=host,
            port=port,
            username=username,
            password=password,
            tls_cert=tls_cert,
            tls_key=tls_key,
            rest_port=rest_port,
            personal_token=token,
            limits=limits,
        )
    except LocalServerError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


@aperturedb.command()
@click.option("--media", is_flag=True, help="Also add images and blobs, to built-in classes, and delete them.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def probe(*, media: bool, as_json: bool) -> None:
    """Ask the server what is not known for certain, and print it beside what we assume.

    The server is the one of APERTUREDB_KEY, or the local one. Uses classes of its own and deletes what it added. Exits
    with 0 if everything is as assumed.
    """
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.probe import report
    from labeling_assets.probe.run import run_probes
    from labeling_assets.settings import load_settings

    settings = load_settings()
    findings = []
    with _sigterm_interrupts(), ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        status = db.check()
        for finding in run_probes(db, built_in=media):
            findings.append(finding)
            if not as_json:
                click.echo(report.text(finding))
    click.echo(report.as_json(db.address, status, findings) if as_json else report.summary(findings))
    if not all(finding.as_assumed and not finding.left for finding in findings):
        sys.exit(1)


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM is as Ctrl-C, so that what was added is deleted."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
