"""A labeling project with people at work in it, and what they find there; who does what is left to chance."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from labeling_assets_tests.faults.history import History
from labeling_assets_tests.faults.people import Person
from labeling_assets_tests.faults.raw_label_studio import Key, RawAnnotation, RawLabelStudio, RawTask, Snapshot
from labeling_assets_tests.sync.world import World

CONFIG: Final = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image">
    <Label value="car"/><Label value="dog"/>
  </RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="road"/></PolygonLabels>
  <Choices name="weather" toName="image"><Choice value="sunny"/><Choice value="dry"/></Choices>
  <TextArea name="note" toName="image"/>
</View>
"""
Item = dict[str, Any]
One = TypeVar("One")
_SIZE: Final = {"original_width": 40, "original_height": 30, "image_rotation": 0}


@dataclass
class Office:
    """One project, one database, three annotators.

    `labels` are those of boxes, `removed` the data of tasks that were deleted, `repairs` what a tampered task had,
    `unfinished` the batches whose publishing was killed, `journal` everything that was done, one line each.
    """

    world: World
    people: Sequence[Person]
    raw: RawLabelStudio
    chance: random.Random
    history: History = field(default_factory=History)
    labels: list[str] = field(default_factory=lambda: ["car", "dog"])
    removed: list[dict[str, Any]] = field(default_factory=list)
    repairs: dict[Key, dict[str, Any]] = field(default_factory=dict)
    batches: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    pictures: int = 0
    journal: list[str] = field(default_factory=list)
    _regions: int = 0

    @property
    def project_id(self) -> int:
        return self.world.record.project_id

    def tasks(self) -> Snapshot:
        """As they stand in Label Studio now."""
        return self.raw.tasks(self.project_id)

    def person(self) -> Person:
        return self.chance.choice(self.people)

    def any_of(self, candidates: Iterable[One]) -> One | None:
        """One of them, or None if there is none."""
        found = list(candidates)
        return self.chance.choice(found) if found else None

    def some_of(self, candidates: Iterable[One], most: int) -> list[One]:
        """One to `most` of them, in their order; none if there is none."""
        found = list(candidates)
        chosen = self.chance.sample(range(len(found)), min(len(found), self.chance.randint(1, most)))
        return [found[place] for place in sorted(chosen)]

    def task(self, suits: Callable[[RawTask], bool] = lambda _: True) -> RawTask | None:
        return self.any_of(task for task in self.tasks().values() if suits(task))

    def annotation(self, suits: Callable[[RawAnnotation], bool] = lambda _: True) -> RawAnnotation | None:
        return self.any_of(one for task in self.tasks().values() for one in task.annotations if suits(one))

    # What they draw: on a grid of tenths, where percent are whole pixels of a picture of 40 x 30

    def result(self) -> list[Item]:
        """A box, or several, or something else, or several of those, or nothing."""
        kinds = [self.box, self.outline, self.choice, self.note]
        if self.chance.random() < 0.15:
            return []
        if self.chance.random() < 0.5:
            boxes = [self.box() for _ in range(self.chance.randint(1, 3))]
            return [*boxes, *self._relation(boxes)]
        return [self.chance.choice(kinds)() for _ in range(self.chance.randint(1, 3))]

    def box(self) -> Item:
        x, y, width, height = (self.chance.randrange(0, 50, 10), self.chance.randrange(0, 50, 10), 20, 30)
        value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        return self._item("rectanglelabels", "label", {**value, "rectanglelabels": [self.chance.choice(self.labels)]})

    def outline(self) -> Item:
        x = self.chance.randrange(0, 50, 10)
        points = [[x, 10], [x + 40, 10], [x, 60]]
        return self._item("polygonlabels", "outline", {"points": points, "closed": True, "polygonlabels": ["road"]})

    def choice(self) -> Item:
        return self._item("choices", "weather", {"choices": [self.chance.choice(["sunny", "dry"])]})

    def note(self) -> Item:
        """Some are too long for a property of ApertureDB."""
        length = 40_000 if self.chance.random() < 0.2 else self.chance.randint(1, 30)
        return self._item("textarea", "note", {"text": ["grüße 😀 " + "x" * length]})

    def _relation(self, boxes: Sequence[Item]) -> list[Item]:
        if len(boxes) < 2 or self.chance.random() < 0.5:
            return []
        ends = {"from_id": boxes[0]["id"], "to_id": boxes[1]["id"]}
        return [{"type": "relation", "direction": "right", **ends}]

    def _item(self, kind: str, control: str, value: dict[str, Any]) -> Item:
        self._regions += 1
        named = {"id": f"r{self._regions}", "type": kind, "from_name": control, "to_name": "image"}
        return {**named, **_SIZE, "value": value}
