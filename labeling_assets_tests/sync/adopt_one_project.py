"""Adopts a project in a process of its own, to be killed: `python -m ... DATABASE FOLDER URL TOKEN PROJECT_ID`."""

import sys
from pathlib import Path

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import load_project
from labeling_assets.sync.adopt.adopt_project import adopt_project

if __name__ == "__main__":
    key, folder, url, api_key, project_id = sys.argv[1:]
    with ApertureDB(key) as db, LabelStudio(url, api_key) as ls:
        adopt_project(db, ls, load_project(Path(folder)), project_id=int(project_id), apply=True)
