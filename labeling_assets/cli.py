"""The command line: registers what `labeling_assets.commands` holds, and turns our errors into messages."""

import click

from labeling_assets.commands.adopt import adopt
from labeling_assets.commands.aperturedb import aperturedb
from labeling_assets.commands.batch import batch
from labeling_assets.commands.dataset import dataset
from labeling_assets.commands.doctor import doctor
from labeling_assets.commands.explain import explain
from labeling_assets.commands.gateway import gateway
from labeling_assets.commands.links import links
from labeling_assets.commands.plan import plan
from labeling_assets.commands.push import push
from labeling_assets.commands.sync import status, sync
from labeling_assets.commands.tasks import tasks
from labeling_assets.commands.up import up
from labeling_assets.errors import LabelingAssetsError


class _Commands(click.Group):
    """Errors that this package raises on purpose are messages, with exit code 1; anything else is a bug."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabelingAssetsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labeling-assets", message="%(prog)s %(version)s")
def main() -> None:
    """Media in ApertureDB, labels from Label Studio, every step in Dagster."""


for _command in (
    up,
    doctor,
    status,
    plan,
    sync,
    push,
    batch,
    tasks,
    adopt,
    dataset,
    aperturedb,
    gateway,
    links,
    explain,
):
    main.add_command(_command)


if __name__ == "__main__":
    main(prog_name="labeling-assets")
