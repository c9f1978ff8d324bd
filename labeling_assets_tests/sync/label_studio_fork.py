"""Writes to ApertureDB what ApertureData's own Label Studio storage writes, query by query, also its mistakes."""

import json
from collections.abc import Mapping
from typing import Any

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets_tests.sync.world import picture

CREATED = "2024-05-01T10:00:00.123456Z"
AUTHOR = {"id": 3, "first_name": "", "last_name": "", "email": "ada@example.org"}


class LabelStudioFork:
    """One patched Label Studio with one project; `number` tells servers and projects apart."""

    def __init__(self, db: ApertureDB, project_id: int = 7, title: str = "Old cars") -> None:
        self._db, self.project_id, self.title = db, project_id, title

    def add_image(self, number: int, **properties: Any) -> str:
        """A picture of 40 x 30 pixels with what the storage needs to find it; returns its `_uniqueid`."""
        body = {"properties": {"width": 40, "height": 30, "number": number, **properties}}
        self.ask({"AddImage": body}, blobs=[picture(number)])
        found = {"constraints": {"number": ["==", number]}, "uniqueids": True, "blobs": False}
        return str(self.ask({"FindImage": found})[0]["FindImage"]["entities"][-1]["_uniqueid"])

    def add_model_box(self, image: str, label: str, **properties: Any) -> str:
        """A box that a model found, as the storage offers it to annotators; returns its `_uniqueid`."""
        rectangle = {"x": 4, "y": 6, "width": 12, "height": 12}
        chosen = {"FindImage": {"_ref": 1, "constraints": {"_uniqueid": ["==", image]}, "blobs": False}}
        body = {"image_ref": 1, "rectangle": rectangle, "label": label, "properties": {"model": "m1", **properties}}
        boxes = {"FindBoundingBox": {"image_ref": 1, "uniqueids": True}}
        return str(self.ask(chosen, {"AddBoundingBox": body}, boxes)[2]["FindBoundingBox"]["entities"][-1]["_uniqueid"])

    def save(self, number: int, image: str, *result: Mapping[str, Any], whole_task: bool = False, **values: Any) -> str:
        """What it does when annotation `number` is saved; returns the LS_data."""
        annotation = self._annotation(number, image, list(result), values)
        data = annotation
        if whole_task:
            author = {"completed_by": 3, "task": annotation["task"]["id"]}
            data = {**annotation["task"], "annotations": [{**annotation, **author}], "predictions": []}
        boxes: dict[str, Mapping[str, Any]] = {}
        for item in result:
            if str(item["type"]).startswith("rectangle"):
                boxes[str(item["id"])] = item
        shown = {"FindImage": {"blobs": False, "constraints": {"_uniqueid": ["==", image]}, "_ref": 1}}
        there = self.ask(
            shown, {"FindBoundingBox": {"image_ref": 1, "results": {"list": ["LS_id"]}, "uniqueids": True}}
        )
        fields = {}
        for box in there[1]["FindBoundingBox"].get("entities", ()):
            if box["LS_id"] in boxes:
                fields[box["LS_id"]] = "LS_id"
            elif box["_uniqueid"] in boxes:
                fields[box["_uniqueid"]] = "_uniqueid"
        text = json.dumps(data)
        query = [shown, *self._entity(number, annotation, text)]
        for reference, (region, item) in enumerate(boxes.items(), start=3):
            query += self._box(number, item, reference, fields.get(region))
        self.ask(*query)
        return text

    def delete(self, number: int) -> None:
        """What it does before an annotation is deleted."""
        found = {"with_class": "LS_annotation", "constraints": {"LS_id": ["==", str(number)]}, "_ref": 1}
        edge = {"ref": 1, "connection_class": "LS_annotation_region"}
        self.ask(
            {"FindEntity": found},
            {"FindBoundingBox": {"is_connected_to": edge, "_ref": 2}},
            {"DeleteBoundingBox": {"ref": 2}},
            {"DeleteEntity": {"ref": 1}},
        )

    def annotations_of(self, image: str) -> list[list[dict[str, Any]]]:
        """The results that it reads back when it imports an image."""
        found = {"LS_project_id": ["==", self.project_id]}
        answer = self.ask(
            {"FindImage": {"blobs": False, "_ref": 1, "constraints": {"_uniqueid": ["==", image]}}},
            {
                "FindEntity": {
                    "with_class": "LS_annotation",
                    "is_connected_to": {"ref": 1},
                    "constraints": found,
                    "results": {"list": ["LS_data"]},
                }
            },
        )
        return [json.loads(row["LS_data"])["result"] for row in answer[1]["FindEntity"].get("entities", ())]

    def ask(self, *commands: dict[str, Any], blobs: list[bytes] | None = None) -> list[dict[str, Any]]:
        answer = self._db.ask(list(commands), blobs or [])
        assert isinstance(answer, list), answer
        return answer

    def _annotation(self, number: int, image: str, result: list[Any], values: Mapping[str, Any]) -> dict[str, Any]:
        link = f"http://labels.example.org/data/aperturedb/?title=ApertureDB&key={image}"
        task = {"id": 1000 + number, "data": {"image": link}, "project": self.project_id}
        own = {"id": number, "result": result, "created_at": CREATED, "updated_at": CREATED, "completed_by": AUTHOR}
        return {**own, "task": task, "was_cancelled": False, "ground_truth": False, "lead_time": 4.5, **values}

    def _entity(self, number: int, annotation: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
        id_ = str(number)
        properties = {
            "LS_created_at": {"_date": annotation["created_at"].replace("Z", "+00:00")},
            "LS_project_title": self.title,
            "LS_project_id": self.project_id,
            "LS_completed_by": AUTHOR["email"],
            "LS_updated_at": {"_date": annotation["updated_at"].replace("Z", "+00:00")},
            "LS_updated_by": AUTHOR["email"],
            "LS_data": text,
        }
        added = {
            "class": "LS_annotation",
            "if_not_found": {"LS_id": ["==", id_]},
            "properties": {"LS_id": id_},
            "connect": {"ref": 1, "class": "LS_annotation_image"},
            "_ref": 2,
        }
        return [{"AddEntity": added}, {"UpdateEntity": {"ref": 2, "properties": properties}}]

    def _box(self, number: int, item: Mapping[str, Any], reference: int, known_by: str | None) -> list[dict[str, Any]]:
        value, width, height = item["value"], item["original_width"], item["original_height"]
        assert (value["rotation"], len(value["rectanglelabels"]) > 1) == (0, False)  # else it raises and saves nothing
        sides = {"x": width, "width": width, "y": height, "height": height}
        labels = value["rectanglelabels"]
        body = {
            "rectangle": {name: int(value[name] * side / 100) for name, side in sides.items()},
            "label": labels[0] if labels else "",
        }
        written = {"LS_text": "[]", "LS_annotation": str(number), "LS_label": json.dumps(labels)}
        if known_by is not None:
            found = {known_by: ["==", item["id"]]}
            return [{"UpdateBoundingBox": {"constraints": found, "properties": written, **body}}]
        added = {"image_ref": 1, "_ref": reference, "properties": {"LS_id": item["id"], **written}, **body}
        edge = {"class": "LS_annotation_region", "src": 2, "dst": reference, "if_not_found": {}}
        return [{"AddBoundingBox": added}, {"AddConnection": edge}]
