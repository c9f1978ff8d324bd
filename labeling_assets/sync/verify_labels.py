"""Labels in use that the label configuration does not have, and a configuration that somebody changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object, Reply
from labeling_assets.clients.constraints import Condition, Predicate, all_of, equal, not_equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError
from labeling_assets.mapping.label_config import LabelConfig, UnknownLabel, nearest_name
from labeling_assets.mapping.region import Region
from labeling_assets.sync.labeling_project import ProjectRecord

# Annotations that are named for each label, and labels that one query asks for.
_NAMED: Final = 10
_LABELS_AT_ONCE: Final = 20
_MOST_LABELS: Final = 5000
# The commands that find regions.
_CLASSES: Final[tuple[tuple[str, Object], ...]] = (
    ("FindBoundingBox", {}),
    ("FindPolygon", {}),
    ("FindClip", {}),
    ("FindEntity", {"with_class": names.REGION}),
)
_WANTED: Final = ("LS_annotation_id", "LS_task_id", "LS_id")


@dataclass(slots=True)
class _Use:
    """Where a label is used: how many regions, and the first of them as (task, annotation, region)."""

    problem: str
    regions: int = 0
    first: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, task: int, annotation: int, region: str) -> None:
        if len({(found[0], found[1]) for found in self.first} | {(task, annotation)}) <= _NAMED:
            self.first.append((task, annotation, region))


class UnknownLabels:
    """Collects what the label configuration does not know, by label: from Label Studio and from ApertureDB."""

    def __init__(self, config: LabelConfig, record: ProjectRecord) -> None:
        self._config, self._record = config, record
        self._uses: dict[str, _Use] = {}

    def look_at(self, region: Region, *, task: int, annotation: int) -> None:
        """A region as Label Studio has it."""
        for unknown in self._config.unknown_labels(region):
            use = self._uses.setdefault(unknown.label, _Use(str(unknown)))
            use.regions += 1
            use.add(task, annotation, region.region_id)

    def look_into(self, db: ApertureDB, batch: str) -> None:
        """Every current region of a batch in ApertureDB, also of tasks that did not change."""
        spellings = {it for control in self._config.controls for label in control.labels for it in label.spellings}
        rows = db.find(
            "FindEntity", equal("LS_project", self._record.slug), class_name=names.LABEL, properties=["LS_label"]
        )
        labels = sorted({str(row["LS_label"]) for row in rows} - spellings)
        if self._open and len(labels) > _LABELS_AT_ONCE:
            labels = self._given_by_others(db, batch, labels)
        for start in range(0, len(labels), _LABELS_AT_ONCE):
            self._look_for(db, batch, labels[start : start + _LABELS_AT_ONCE], spellings)

    @property
    def _open(self) -> tuple[str, ...]:
        """Controls that take their labels from each task, so that they may give any."""
        return tuple(control.name for control in self._config.controls if control.dynamic)

    def _given_by_others(self, db: ApertureDB, batch: str, labels: Sequence[str]) -> list[str]:
        """Those of the labels that a control with labels of its own gave in this batch, in one query.

        An open control may have given thousands, which are not worth a search each.
        """
        query = Query()
        places = [
            query.add(
                "FindEntity",
                {
                    "with_class": names.LABEL,
                    "is_connected_to": {**self._edges("out"), "ref": self._regions(query, command, body, batch)},
                    "constraints": equal("LS_project", self._record.slug),
                    "results": {"list": ["LS_label"]},
                    "limit": _MOST_LABELS,
                },
            )
            for command, body in _CLASSES
        ]
        reply = db.run(query)
        found = [reply.objects(place) for place in places]
        if any(len(rows) == _MOST_LABELS for rows in found):
            return list(labels)  # more than were listed: each is looked for
        return sorted({str(row["LS_label"]) for rows in found for row in rows} & set(labels))

    def _regions(self, query: Query, command: str, body: Object, batch: str) -> int:
        """A reference to all regions of the batch that one command finds."""
        reference = query.reference()
        query.add(command, {**body, "_ref": reference, "constraints": _own_regions(batch)})
        return reference

    def _edges(self, direction: str) -> Object:
        """The connections of labels that controls with labels of their own gave."""
        given = [
            not_equal("LS_ancestor", True),
            *([Predicate("LS_from_name", "not in", self._open)] if self._open else []),
        ]
        return {"connection_class": names.REGION_LABEL, "direction": direction, "constraints": all_of(*given)}

    def offenders(self) -> list[dict[str, Any]]:
        """One for each label, with the number of its regions and its first annotations."""
        return [self._offender(label, use) for label, use in sorted(self._uses.items())]

    def _look_for(self, db: ApertureDB, batch: str, labels: Sequence[str], spellings: Iterable[str]) -> None:
        query = Query()
        places = {label: self._searches(query, batch, label) for label in labels}
        reply = db.run(query)
        for label, found in places.items():
            regions = sum(reply.count(place) for place in found)
            if regions:
                self._merge(label, regions, _rows(reply, found), spellings)

    def _merge(self, label: str, regions: int, rows: Sequence[Object], spellings: Iterable[str]) -> None:
        """Label Studio was read for what changed, ApertureDB for everything: the larger number is the later one."""
        unknown = UnknownLabel(label, str(rows[0]["LS_from_name"]), nearest_name(label, spellings))
        use = self._uses.setdefault(label, _Use(str(unknown)))
        known = {region[1:] for region in use.first}
        for row in rows:
            if (int(row["LS_annotation_id"]), str(row["LS_id"])) not in known:
                use.add(int(row["LS_task_id"]), int(row["LS_annotation_id"]), str(row["LS_id"]))
        use.regions = max(use.regions, regions)

    def _searches(self, query: Query, batch: str, label: str) -> list[int]:
        """The places in the query of searches for the regions of a label, one for each class they may have."""
        reference = query.reference()
        key = equal(names.KEY, f"{self._record.slug}|{label}")
        query.add("FindEntity", {"_ref": reference, "with_class": names.LABEL, "constraints": key})
        body = {
            "is_connected_to": {**self._edges("in"), "ref": reference},
            "constraints": _own_regions(batch),
            "results": {"list": [*_WANTED, "LS_from_name"], "count": True},
            "limit": _NAMED,
        }
        return [query.add(command, {**body, **more}) for command, more in _CLASSES]

    def _offender(self, label: str, use: _Use) -> dict[str, Any]:
        task, annotation, region = use.first[0]
        annotations = {(found[0], found[1]): self._record.task_url(found[0]) for found in use.first}
        return {
            "label": label,
            "problem": use.problem,
            "regions": use.regions,
            "task": task,
            "annotation": annotation,
            "region": region,
            "first annotations": ", ".join(f"{number} ({url})" for (_, number), url in annotations.items()),
            "url": self._record.task_url(task),
        }


def _own_regions(batch: str) -> Condition:
    return all_of(equal("LS_batch", batch), equal("LS_derived", False))


def _rows(reply: Reply, places: Iterable[int]) -> list[Object]:
    return [row for place in places for row in reply.objects(place)]


def changed_configuration(db: ApertureDB, record: ProjectRecord, current_xml: str) -> dict[str, Any] | None:
    """How the label configuration in Label Studio differs from the one that was applied; None if it does not."""
    where = {"url": f"{record.url}/settings/labeling"}
    try:
        current = LabelConfig.parse(current_xml)
    except ConfigurationError as error:
        return {"problem": f"the label configuration in Label Studio cannot be read: {error}", **where}
    if current.hash == record.config_hash:
        return None
    held = db.find("FindEntity", equal("LS_hash", record.config_hash), class_name=names.CONFIG, properties=["LS_xml"])
    applied = LabelConfig.parse(str(held[0]["LS_xml"])) if held else None
    change = _difference(_labels(applied), _labels(current)) if applied else ""
    problem = f"the label configuration was changed in Label Studio: {change or 'no labels, but something else'}"
    advice = "change label_config.xml in the project's folder, or materialize the tasks to apply it again"
    return {"problem": f"{problem}; {advice}", **where}


def _labels(config: LabelConfig) -> dict[str, frozenset[str]]:
    """Control -> its labels."""
    return {control.name: frozenset(label.name for label in control.labels) for control in config.controls}


def _difference(before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]) -> str:
    """For people: which controls and labels came and went."""
    texts = [f"control {name!r} removed" for name in before if name not in after]
    texts += [f"control {name!r} added" for name in after if name not in before]
    for name in before.keys() & after.keys():
        for labels, what in ((before[name] - after[name], "removed from"), (after[name] - before[name], "added to")):
            if labels:
                texts.append(f"{', '.join(map(repr, sorted(labels)))} {what} {name!r}")
    return ", ".join(sorted(texts))
