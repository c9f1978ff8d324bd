"""What a sync can know of Label Studio: which tasks are clear, and which versions of annotations one has seen.

Plain dictionaries, filled from what stands in Label Studio around each sync; no code of the sync is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labeling_assets.media_urls import guid_in_link
from labeling_assets_tests.faults.raw_label_studio import Key, RawTask, Snapshot


@dataclass(frozen=True)
class Made:
    """What a task was made for. A person may change its data later, and must not."""

    guid: str
    batch: str


@dataclass(frozen=True)
class Sighting:
    """One version of an annotation at one sync, which has read it, or may have if it was killed."""

    content: str
    certain: bool


@dataclass
class History:
    """`media` are the GUIDs of ApertureDB, `made` the tasks that it knows, `seen` the versions, oldest first.

    `frozen` has the tasks that are not clear any more with what the last complete sync saw of them; None if a sync
    that may have seen more came after it.
    """

    media: set[str] = field(default_factory=set)
    batches: set[str] = field(default_factory=set)
    made: dict[Key, Made] = field(default_factory=dict)
    seen: dict[Key, list[Sighting]] = field(default_factory=dict)
    last: dict[Key, dict[Key, str] | None] = field(default_factory=dict)

    def published(self, batch: str, tasks: Snapshot) -> None:
        """ApertureDB knows the tasks of this batch now: the oldest of each medium."""
        known = {made.guid for made in self.made.values()}
        for key, task in tasks.items():
            guid = str(task.data.get("guid"))
            if task.batch == batch and guid in self.media and guid not in known:
                self.made[key] = Made(guid, batch)
                known.add(guid)

    def trouble(self, task: RawTask) -> str | None:
        """Why nothing of a task may be written; empty if it is nobody's, None if it is clear."""
        made, batch, guid = self.made.get(task.key), task.batch, task.data.get("guid")
        if made is None and batch not in self.batches:
            return ""
        if guid_in_link(task.data.get("image")) != guid:
            return "guid and link disagree"
        if guid not in self.media:
            return "no such medium"
        if made is not None and (guid, batch) != (made.guid, made.batch):
            return "made for another medium or batch"
        return None

    def clear(self, tasks: Snapshot, batches: Iterable[str] | None = None) -> Snapshot:
        """The tasks that a sync of these batches, or of all, writes."""
        wanted = self.batches if batches is None else set(batches)
        return {key: task for key, task in tasks.items() if task.batch in wanted and self.trouble(task) is None}

    def synced(self, moments: Sequence[Snapshot], *, batches: Iterable[str] | None, complete: bool) -> None:
        """A sync ran while Label Studio looked like this, one state after the other; `complete`: it came to its end."""
        wanted = None if batches is None else list(batches)
        states = [self.clear(tasks, wanted) for tasks in moments]
        first, *later = [_versions(state) for state in states]
        for number, versions in enumerate([first, *later]):
            for key, content in versions.items():
                certain = complete and number == 0 and all(state.get(key) == content for state in later)
                self._saw(key, content, certain=certain)
        for key, task in states[-1].items():
            if complete and all(key in state for state in states):
                self.made.setdefault(key, Made(str(task.data["guid"]), str(task.batch)))
        self._remember(states, complete=complete)

    def _saw(self, key: Key, content: str, *, certain: bool) -> None:
        sightings = self.seen.setdefault(key, [])
        if not sightings or sightings[-1] != Sighting(content, certain):
            sightings.append(Sighting(content, certain))

    def _remember(self, states: Sequence[Snapshot], *, complete: bool) -> None:
        certain = complete and all(state == states[0] for state in states)
        for key in {key for state in states for key in state}:
            if certain:
                self.last[key] = {one.key: one.content for one in states[0][key].annotations}
            else:
                self.last[key] = None

    def certain(self, key: Key) -> list[str]:
        """The versions of an annotation that a sync certainly saw."""
        return _collapsed(sighting.content for sighting in self.seen.get(key, ()) if sighting.certain)

    def possible(self, key: Key) -> list[str]:
        """Those that it may have seen as well."""
        return _collapsed(sighting.content for sighting in self.seen.get(key, ()))


def _versions(tasks: Snapshot) -> dict[Key, str]:
    return {one.key: one.content for task in tasks.values() for one in task.annotations}


def _collapsed(contents: Iterable[str]) -> list[str]:
    """A version that was seen several times in a row is one."""
    found: list[str] = []
    for content in contents:
        if not found or found[-1] != content:
            found.append(content)
    return found


def is_within(part: Sequence[str], whole: Iterable[str]) -> bool:
    """Whether `part` stands in `whole`, in this order, perhaps with others in between."""
    rest = iter(whole)
    return all(content in rest for content in part)


def annotations_of(tasks: Mapping[Key, RawTask]) -> dict[Key, RawTask]:
    """Annotation -> its task."""
    return {one.key: task for task in tasks.values() for one in task.annotations}
