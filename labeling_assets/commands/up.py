"""`labeling-assets up`: the whole local stack."""

import sys

import click


@click.command()
@click.option("--sample", is_flag=True, help="Bring a small batch of photographs and a scripted annotator.")
@click.option(
    "--until-done", is_flag=True, help="Run the sample through the pipeline once, print what is where, and stop."
)
def up(*, sample: bool, until_done: bool) -> None:
    """Start what is missing of ApertureDB, Label Studio, media gateway and Dagster, and stay up.

    Everything is local and lies in one folder (LABELING_ASSETS_HOME) unless the settings name servers elsewhere.
    """
    if until_done and not sample:
        raise click.UsageError("--until-done waits for the scripted annotator: give --sample, too.")
    from labeling_assets.settings import load_settings
    from labeling_assets.stack.up import run

    sys.exit(run(load_settings(), sample=sample, until_done=until_done))
