"""One step of the pipeline in a process of its own, to be killed: `python -m ... <JSON of its arguments>`."""

import json
import sys
from pathlib import Path

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import load_project
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets_tests.sync.world import LINKS


def run(step: str, *, key: str, folder: str, inbox: str, url: str, api_key: str) -> None:
    project = load_project(Path(folder))
    with ApertureDB(key) as db, LabelStudio(url, api_key) as ls:
        if step == "ingest":
            ingest_media(db, read_rows(Path(inbox) / "May"), batch="May", projects=[project])
        elif step == "publish":
            publish_tasks(db, ls, project, batch="May", links=LINKS)
        else:
            collect_annotations(db, ls, project, batch="May")


if __name__ == "__main__":
    run(**json.loads(sys.argv[1]))
