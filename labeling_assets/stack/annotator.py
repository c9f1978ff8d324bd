"""The scripted annotator of the sample: labels, changes and deletes through Label Studio's own API, as a person would.

Each round looks at what is there first, so that it can be run again on a home folder that has seen it.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.stack.sample import Photo, Result, afterwards, photo, photos, result_of

_LEAD_TIME_S: Final = 21.5
SECOND_ANNOTATOR: Final = "second.opinion@example.org"


class Annotator:
    """Works on the sample's tasks in one Label Studio project.

    Args:
        label_studio: A client with the token of a user who may annotate.
        project_id: The project.
        second_user: The user id that the second opinion is given under; None: nobody gives one.
    """

    def __init__(self, label_studio: LabelStudio, project_id: int, second_user: int | None) -> None:
        self._label_studio = label_studio
        self._project_id = project_id
        self._second_user = second_user

    def task_count(self) -> int:
        """How many photographs of the sample have a task now."""
        return len(self._tasks())

    def first_round(self) -> int:
        """Label every photograph that has no label yet, and skip one; returns how many annotations were made."""
        tasks = self._tasks()
        made = 0
        for each in photos():
            task = tasks[each.guid]
            if task["annotations"]:
                continue
            body = {"result": each.result(), "was_cancelled": each.is_skipped, "lead_time": _LEAD_TIME_S}
            self._label_studio.create_annotation(task["id"], body)
            made += 1
        return made

    def second_round(self) -> list[str]:
        """Move a box, remove a region, delete an annotation, let a second person label; says what was done."""
        changes = afterwards()
        tasks = self._tasks()
        move, remove, delete = changes["move"], changes["remove"], changes["delete"]
        self._change(tasks, photo(move["photo"]), moved(photo(move["photo"]).result(), move))
        self._change(tasks, photo(remove["photo"]), without(photo(remove["photo"]).result(), remove))
        for annotation in tasks[photo(delete["photo"]).guid]["annotations"]:
            self._label_studio.delete_annotation(annotation["id"])
        done = [
            f"moved the {move['region']} in {move['photo']}",
            f"removed the {remove['region']} from {remove['photo']}",
            f"deleted the annotation of {delete['photo']}",
        ]
        if self._second_opinion(tasks, changes["second_opinion"]):
            done.append(f"second opinion on {changes['second_opinion']['photo']}")
        return done

    def _tasks(self) -> dict[str, dict[str, Any]]:
        """GUID -> task with its annotations, of the sample only."""
        wanted = {each.guid for each in photos()}
        tasks = self._label_studio.iterate_by_id(self._project_id)
        return {task["data"]["guid"]: task for task in tasks if task["data"].get("guid") in wanted}

    def _change(self, tasks: Mapping[str, Mapping[str, Any]], target: Photo, result: Result) -> None:
        for annotation in tasks[target.guid]["annotations"]:
            self._label_studio.update_annotation(annotation["id"], {"result": result})

    def _second_opinion(self, tasks: Mapping[str, Mapping[str, Any]], opinion: Mapping[str, Any]) -> bool:
        task = tasks[photo(opinion["photo"]).guid]
        if self._second_user is None or len(task["annotations"]) > 1:
            return False
        result = [{**item, "id": f"{item['id']}-2"} for item in result_of(opinion["photo"], opinion)]
        body = {"result": result, "completed_by": self._second_user, "lead_time": _LEAD_TIME_S}
        self._label_studio.create_annotation(task["id"], body)
        return True


def moved(result: Result, change: Mapping[str, Any]) -> Result:
    """The result with one region at another place."""
    return [
        {**item, "value": {**item["value"], **change["to"]}} if _is_region(item, change) else item for item in result
    ]


def without(result: Result, change: Mapping[str, Any]) -> Result:
    """The result without one region."""
    return [item for item in result if not _is_region(item, change)]


def second_user(url: str, token: str) -> int | None:
    """The id of a second annotator, made if there is none; None if this Label Studio lets nobody make one.

    Args:
        url: Address of a Label Studio.
        token: A legacy token of its first user.
    """
    with httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=30, trust_env=False) as http:
        for user in http.get("/api/users/").raise_for_status().json():
            if user["email"] == SECOND_ANNOTATOR:
                return int(user["id"])
        body = {"email": SECOND_ANNOTATOR, "username": SECOND_ANNOTATOR.partition("@")[0], "first_name": "Second"}
        answer = http.post("/api/users/", json=body)
        return int(answer.json()["id"]) if answer.is_success else None


def _is_region(item: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    stem = change["photo"].partition(".")[0]
    return bool(item["id"] == f"{stem}-{change['region']}")
