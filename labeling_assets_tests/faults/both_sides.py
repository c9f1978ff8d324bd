"""ApertureDB against Label Studio, object by object; nothing of the sync's own code decides what is right."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from labeling_assets import names
from labeling_assets.sync.watermark import load_state
from labeling_assets_tests.faults.history import History, annotations_of, is_within
from labeling_assets_tests.faults.native_regions import edge_differences, region_differences
from labeling_assets_tests.faults.raw_label_studio import Key, RawAnnotation, RawTask, Snapshot
from labeling_assets_tests.faults.stored_versions import Stored, stored_versions
from labeling_assets_tests.sync.world import World

_BEST: Final = ("done", "skipped", "open")


@dataclass
class BothSides:
    """`users` is user id -> e-mail address."""

    world: World
    tasks: Snapshot
    history: History
    users: Mapping[int, str]

    def differences(self) -> list[str]:
        """Everything in which the two are not as they should be after a full comparison; empty if they are."""
        current = stored_versions(self.world, names.ANNOTATION, self.users)
        revisions = stored_versions(self.world, names.REVISION, self.users)
        found = [*self._current(current), *self._frozen(current), *self._gone(current)]
        found += [*self._versions(current, revisions), *self._tasks(), *self._media(), *self._quarantined()]
        return [*found, *region_differences(self.world, current), *edge_differences(self.world, current, revisions)]

    def unsynced(self, batches: Iterable[str] | None) -> list[str]:
        """Annotations that a sync of these batches, or of all, did not bring as they are.

        Any sync does, also if no number told it that a task is gone, or that an annotation moved to another.
        """
        found: dict[Key, list[str]] = {}
        for one in stored_versions(self.world, names.ANNOTATION, self.users):
            if not one.deleted:
                found.setdefault(one.key, []).append(one.content)
        clear = self.history.clear(self.tasks, batches)
        wanted = {one.key: one.content for task in clear.values() for one in task.annotations}
        return [f"annotation {key} is not {content}" for key, content in wanted.items() if found.get(key) != [content]]

    # Annotations

    def _current(self, current: Iterable[Stored]) -> Iterator[str]:
        """Each annotation of a clear task is there, once, as it is; and no other."""
        clear = self.history.clear(self.tasks)
        wanted = annotations_of(clear)
        held = [one for one in current if not one.deleted]
        counts = Counter(one.key for one in held)
        yield from (f"annotation {key} of task {wanted[key].id} is missing" for key in wanted if not counts[key])
        yield from (f"annotation {key} is there {count} times" for key, count in counts.items() if count > 1)
        others = annotations_of(self._in_trouble())
        for stored in held:
            if stored.key in wanted:
                (one,) = (one for one in wanted[stored.key].annotations if one.key == stored.key)
                yield from _unlike(stored, one, wanted[stored.key])
            elif stored.key not in others and not self._is_frozen(stored):
                yield f"annotation {stored.key} is current, but nothing in Label Studio"

    def _is_frozen(self, one: Stored) -> bool:
        """Whether nothing may be written of its task now, whatever became of the annotation in Label Studio."""
        tasks = self._in_trouble()
        made = [(task.id, self.history.made[key].guid) for key, task in tasks.items() if key in self.history.made]
        return (int(one.row["LS_task_id"]), str(one.row["LS_media_guid"])) in made

    def _in_trouble(self) -> Snapshot:
        return {key: task for key, task in self.tasks.items() if self.history.trouble(task)}

    def _frozen(self, current: Iterable[Stored]) -> Iterator[str]:
        """Of a task that is not clear stays what the last sync wrote while it was."""
        moved = annotations_of(self.history.clear(self.tasks))
        held = [one for one in current if not one.deleted and one.key not in moved]
        for key, task in self._in_trouble().items():
            last = self.history.last.get(key, {})
            if last is None:
                continue
            wanted = {one: content for one, content in last.items() if one not in moved}
            made = self.history.made.get(key)
            here = [one for one in held if made and one.row["LS_media_guid"] == made.guid]
            here = [one for one in here if int(one.row["LS_task_id"]) == task.id]
            found = {one.key: one.content for one in here}
            if found != wanted:
                yield f"task {task.id} is not clear, but {found} is not {wanted}"

    def _gone(self, current: Iterable[Stored]) -> Iterator[str]:
        """What a sync has seen and Label Studio has no more is a tombstone."""
        there = annotations_of(self.tasks)
        current = list(current)
        buried = {one.key for one in current if one.deleted}
        frozen = {one.key for one in current if self._is_frozen(one)}
        for key in self.history.seen:
            if key not in there and self.history.certain(key) and key not in buried | frozen:
                yield f"annotation {key} was deleted, and is no tombstone"
        yield from (f"annotation {key} is a tombstone, but in Label Studio" for key in buried & self._clear_keys())

    def _clear_keys(self) -> set[Key]:
        return set(annotations_of(self.history.clear(self.tasks)))

    def _versions(self, current: Iterable[Stored], revisions: Iterable[Stored]) -> Iterator[str]:
        """Every version that a sync has seen is kept, in this order, and none that no sync can have seen."""
        kept: dict[Key, list[Stored]] = {}
        for one in (*revisions, *current):
            kept.setdefault(one.key, []).append(one)
        for key in kept.keys() | self.history.seen.keys():
            versions = sorted(kept.get(key, ()), key=lambda one: int(one.row["LS_revision"]))
            numbers = [int(one.row["LS_revision"]) for one in versions]
            if numbers != list(range(1, len(numbers) + 1)):
                yield f"annotation {key} has the revisions {numbers}"
            contents = [one.content for one in versions]
            contents = [now for now, before in zip(contents, [None, *contents], strict=False) if now != before]
            certain, possible = self.history.certain(key), self.history.possible(key)
            if not is_within(certain, contents):
                yield f"annotation {key} has lost versions: {contents}, seen were {certain}"
            if not is_within(contents, possible):
                yield f"annotation {key} has versions that nobody made: {contents}, seen were at most {possible}"

    # Tasks and media

    def _tasks(self) -> Iterator[str]:
        """Each task is there once, in its state; those that Label Studio has no more are withdrawn."""
        rows = self.world.stored(names.TASK)
        held = {(int(row["LS_task_id"]), str(row["LS_task_created_at"])): row for row in rows}
        if len(held) != len(rows):
            yield f"{len(rows)} tasks, but {len(held)} different ones"
        clear = self.history.clear(self.tasks)
        for key, task in clear.items():
            wanted = (task.data["guid"], task.batch, task.state)
            row = held.get(key)
            found = None if row is None else (row["LS_media_guid"], row["LS_batch"], row["LS_state"])
            if found != wanted:
                yield f"task {key} is {found}, not {wanted}"
        for key, row in held.items():
            if key not in self.tasks and row["LS_state"] != "withdrawn":
                yield f"task {key} is {row['LS_state']}, but gone"
            if key in self.tasks and row["LS_state"] == "withdrawn":
                yield f"task {key} is withdrawn, but there"
        yield from (f"task {key} is forgotten" for key in self.history.made if key not in held)

    def _media(self) -> Iterator[str]:
        """A medium is as far as the best of its tasks; withdrawn if it has none any more."""
        states: dict[str, set[str]] = {}
        for task in self.history.clear(self.tasks).values():
            states.setdefault(str(task.data["guid"]), set()).add(task.state)
        unclear = {made.guid for key, made in self.history.made.items() if key in self._in_trouble()}
        for row in self.world.media(names.GUID, self.world.project.state):
            guid, state = str(row[names.GUID]), row[self.world.project.state]
            wanted = next((best for best in _BEST if best in states.get(guid, ())), "withdrawn")
            if guid not in unclear and state != wanted:
                of = [row for row in self.world.stored(names.TASK) if row["LS_media_guid"] == guid]
                tasks = [(row["LS_task_id"], row["LS_batch"], row["LS_state"]) for row in of]
                yield f"medium {guid} is {state}, not {wanted}; ApertureDB knows the tasks {tasks} of it"

    def _quarantined(self) -> Iterator[str]:
        """Each batch names the tasks that it shows, or showed, and of which nothing is written."""
        for batch in self.history.batches:
            here = {key for key, task in self._in_trouble().items() if task.batch == batch}
            here |= {key for key in self._in_trouble() if key in self.history.made and self._made_in(key) == batch}
            found = load_state(self.world.db, self.world.record.sync_key(batch)).quarantined
            if set(found) != {number for number, _ in here}:
                yield f"quarantined in {batch} are {dict(found)}, not {sorted(here)}"

    def _made_in(self, key: Key) -> str:
        return self.history.made[key].batch


def _unlike(stored: Stored, one: RawAnnotation, task: RawTask) -> Iterator[str]:
    expected = {
        "content": (stored.content, one.content),
        "author": (stored.row["LS_completed_by"], one.author),
        "annotator": (stored.row["LS_annotator"], one.author),
        "task": (int(stored.row["LS_task_id"]), task.id),
        "medium": (stored.row["LS_media_guid"], task.data["guid"]),
        "batch": (stored.row["LS_batch"], task.batch),
        "prediction": (stored.data["parent_prediction"], one.prediction),
    }
    for what, (found, wanted) in expected.items():
        if found != wanted:
            yield f"annotation {one.key} of task {task.id}: the {what} is {found!r}, not {wanted!r}"
