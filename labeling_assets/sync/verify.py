"""Proofs for the asset checks: both systems are read again, independently of what the sync noted."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, all_of, equal, missing, not_equal, one_of
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import (
    Filter,
    groups_for_urls,
    id_in,
    in_batch,
    parse_time,
    updated_after,
    updated_since,
)
from labeling_assets.errors import DataError
from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.region import Region
from labeling_assets.projects import Project
from labeling_assets.quality.geometry import inside_picture
from labeling_assets.sync.batch_rows import Row
from labeling_assets.sync.ingest_media import failed_mark
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recorded_project
from labeling_assets.sync.media_store import chunks, media_by_guid, media_of_batch
from labeling_assets.sync.resolve_tasks import claimed_guid, created_task_guid, moved
from labeling_assets.sync.shown_medium import picture_of
from labeling_assets.sync.stored_annotations import annotation_guid, annotations_of_tasks
from labeling_assets.sync.verify_labels import UnknownLabels, changed_configuration
from labeling_assets.sync.watermark import load_state

Offender = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """The result of one check: how much was looked at, and each thing that is wrong, with where to look."""

    looked_at: int = 0
    offenders: list[Offender] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Nothing is wrong."""
        return not self.offenders


def verify_media(db: ApertureDB, batch: str) -> Outcome:
    """Every medium of the batch has a GUID that no other medium has."""
    media = list(media_of_batch(db, batch, properties=(names.GUID, "LS_media_type")))
    outcome = Outcome(looked_at=len(media))
    held = media_by_guid(db, [medium.guid for medium in media], (names.GUID,))
    for guid, found in held.items():
        if len(found) != 1:
            outcome.offenders.append({"guid": guid, "problem": f"{len(found)} media carry this GUID"})
    for medium in media:
        if not medium.guid or medium.guid == "None":
            outcome.offenders.append({"guid": "", "problem": f"a {medium.kind} of the batch has no GUID"})
    outcome.facts = {"media": len(media)}
    return outcome


def verify_rows(db: ApertureDB, batch: str, rows: list[Row]) -> Outcome:
    """Every row of the inbox is a medium of the batch, and was readable when the batch was imported last."""
    condition = equal("LS_batch", batch)
    found = db.find("FindConnection", condition, class_name=names.BATCH_MEDIA, properties=["LS_source_uri"])
    sources = {str(edge["LS_source_uri"]) for edge in found}
    held = db.find("FindEntity", equal(names.KEY, batch), class_name=names.BATCH, properties=["LS_failed"])
    failed = {mark for entity in held for mark in json.loads(entity["LS_failed"] or "[]")}
    outcome = Outcome(looked_at=len(rows), facts={"rows": len(rows), "rows in ApertureDB": len(sources)})
    for row in rows:
        if row.source not in sources:
            problem = "it is no medium of the batch: see the failed rows of the media asset"
            outcome.offenders.append({"row": row.number, "source": row.source, "problem": problem})
        elif failed_mark(row.source) in failed:
            problem = "the last import could not use it; an earlier one did: see the failed rows of the media asset"
            outcome.offenders.append({"row": row.number, "source": row.source, "problem": problem})
    return outcome


def verify_tasks(db: ApertureDB, ls: LabelStudio, project: Project, batch: str) -> Outcome:
    """Each medium of the project in this batch has exactly one task in Label Studio, unless it was withdrawn.

    A duplicate gets none, and a medium that came in another batch first has its task there.
    """
    record = _record(db, ls, project)
    checked_project(ls, record)
    by_guid: dict[str, list[int]] = {}
    for task in ls.iterate_by_id(record.project_id, [in_batch(batch)], include=("id", "data"), page_size=1000):
        guid, _ = claimed_guid(task["data"])
        by_guid.setdefault(guid or "", []).append(int(task["id"]))
    outcome = Outcome(looked_at=sum(map(len, by_guid.values())))
    for guid, tasks in by_guid.items():
        if len(tasks) > 1:
            outcome.offenders.append(
                {
                    "guid": guid,
                    "task": tasks[1],
                    "problem": f"{len(tasks)} tasks: {tasks}",
                    "url": record.task_url(tasks[1]),
                }
            )
    condition = record.live_tasks(equal("LS_batch", batch))
    known = db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_media_guid", "LS_task_id"])
    for row in known:
        if row["LS_media_guid"] not in by_guid:
            outcome.offenders.append(
                {
                    "guid": row["LS_media_guid"],
                    "task": row["LS_task_id"],
                    "problem": "no task in Label Studio",
                    "url": record.url,
                }
            )
    waiting = all_of(one_of("LS_media_type", project.taken_types), missing("LS_duplicate_of"))
    for medium in media_of_batch(db, batch, condition=waiting, properties=(names.GUID, project.state)):
        if medium.properties.get(project.state) in (None, "new") and medium.guid not in by_guid:
            problem = "it has no task: see the failed media of the tasks asset"
            outcome.offenders.append({"guid": medium.guid, "task": "", "problem": problem, "url": record.url})
    for medium in media_of_batch(db, batch, condition=missing("LS_media_type"), properties=(names.GUID,)):
        problem = "it has no LS_media_type, so it gets no task: import the batch again, or claim the medium"
        outcome.offenders.append({"guid": medium.guid, "task": "", "problem": problem, "url": record.url})
    outcome.facts = {"tasks_label_studio": outcome.looked_at, "tasks_aperturedb": len(known)}
    return outcome


@dataclass(slots=True)
class AnnotationOutcomes:
    """The outcomes of one reading of the tasks that the last sync touched."""

    mapping: Outcome = field(default_factory=Outcome)
    links: Outcome = field(default_factory=Outcome)
    geometry: Outcome = field(default_factory=Outcome)
    vocabulary: Outcome = field(default_factory=Outcome)
    counts: Outcome = field(default_factory=Outcome)


def verify_annotations(
    db: ApertureDB, ls: LabelStudio, project: Project, batch: str, *, full: bool = False
) -> AnnotationOutcomes:
    """Read again what the last sync of the batch touched (everything with `full`), and count both sides.

    mapping: each annotation belongs to exactly one medium in ApertureDB, by GUID, on both sides.
    links: the GUID and the media link of each task agree.
    geometry: coordinates lie inside the picture.
    vocabulary: the label configuration of the project's folder has every label of the batch, and the one in Label
    Studio is the one that was applied.
    counts: tasks and annotations in Label Studio are those in ApertureDB, but for tasks that changed after the sync.
    """
    record = _record(db, ls, project)
    current = checked_project(ls, record)
    state = load_state(db, record.sync_key(batch))
    filters = [in_batch(batch)]
    if state.touched_since and not full:
        filters.append(updated_since(parse_time(state.touched_since)))
    tasks = {int(task["id"]): task for task in ls.iterate_by_id(record.project_id, filters)}
    suspects = [task for task in state.quarantined if task not in tasks]
    tasks |= {int(task["id"]): task for task in ls.tasks_by_id(record.project_id, suspects)}
    outcomes = AnnotationOutcomes()
    _verify_identity(db, record, tasks, outcomes)
    unknown = UnknownLabels(LabelConfig.parse(project.label_config()), record)
    _verify_regions(db, record, unknown, tasks, outcomes)
    unknown.look_into(db, batch)
    changed = changed_configuration(db, record, current.label_config)
    outcomes.vocabulary.offenders += ([changed] if changed else []) + unknown.offenders()
    touched = list(tasks) if state.touched_since and not full else None
    _verify_stored(db, record, batch, touched, outcomes.mapping)
    newer = _newer(ls, record, batch, state.watermark)
    compared = {task_id: task for task_id, task in tasks.items() if task_id not in newer}
    _verify_annotations(db, record, compared, outcomes.counts)
    _verify_counts(db, ls, record, batch, newer, outcomes.counts)
    return outcomes


def _record(db: ApertureDB, ls: LabelStudio, project: Project) -> ProjectRecord:
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: materialize its tasks first.")
    return record


def _verify_identity(
    db: ApertureDB, record: ProjectRecord, tasks: Mapping[int, Mapping[str, Any]], outcomes: AnnotationOutcomes
) -> None:
    claims = {task_id: claimed_guid(task["data"]) for task_id, task in tasks.items()}
    media = media_by_guid(db, [guid for guid, _ in claims.values() if guid is not None], (names.GUID,))
    made_for = _made_for(db, record, tasks)
    for task_id, (guid, contradiction) in claims.items():
        where = {"task": task_id, "guid": guid or "", "url": record.task_url(task_id)}
        outcomes.links.looked_at += 1
        if contradiction is not None:
            outcomes.links.offenders.append({**where, "problem": contradiction})
        outcomes.mapping.looked_at += len(tasks[task_id].get("annotations") or ())
        found = len(media.get(guid or "", []))
        if found != 1:
            outcomes.mapping.offenders.append({**where, "problem": f"{found} media in ApertureDB have this GUID"})
        elif contradiction is not None:
            outcomes.mapping.offenders.append({**where, "problem": contradiction})
        elif task_id in made_for and (problem := _other(tasks[task_id]["data"], guid, *made_for[task_id])):
            outcomes.mapping.offenders.append({**where, "problem": problem})


def _other(data: Mapping[str, Any], guid: str | None, made_for: str, batch: str) -> str | None:
    """What a task names now instead of what it was made for."""
    return moved(data, batch) if guid == made_for else f"the task was made for the medium {made_for}"


def _made_for(
    db: ApertureDB, record: ProjectRecord, tasks: Mapping[int, Mapping[str, Any]]
) -> dict[int, tuple[str, str]]:
    """Task id -> GUID and batch that ApertureDB recorded when the task was made, for tasks that are not withdrawn."""
    keys = {created_task_guid(record, task): task_id for task_id, task in tasks.items()}
    wanted = [names.LS_GUID, "LS_media_guid", "LS_batch"]
    found: dict[int, tuple[str, str]] = {}
    for chunk in chunks(keys, 500):
        condition = all_of(one_of(names.LS_GUID, chunk), not_equal("LS_state", "withdrawn"))
        for row in db.find("FindEntity", condition, class_name=names.TASK, properties=wanted):
            found[keys[str(row[names.LS_GUID])]] = (str(row["LS_media_guid"]), str(row["LS_batch"]))
    return found


def _verify_regions(
    db: ApertureDB,
    record: ProjectRecord,
    unknown: UnknownLabels,
    tasks: Mapping[int, Mapping[str, Any]],
    outcomes: AnnotationOutcomes,
) -> None:
    claims = {task_id: claimed_guid(task["data"])[0] for task_id, task in tasks.items()}
    media = media_by_guid(db, [guid for guid in claims.values() if guid])
    for task_id, task in tasks.items():
        held = media.get(claims[task_id] or "")
        if not held:
            continue
        for annotation in task.get("annotations") or ():
            number = int(annotation["id"])
            where = {"task": task_id, "annotation": number, "url": record.task_url(task_id)}
            for region in map_annotation(annotation.get("result") or [], picture_of(held[0])).regions:
                _verify_geometry(region, where, outcomes.geometry)
                outcomes.vocabulary.looked_at += 1
                unknown.look_at(region, task=task_id, annotation=number)


def _verify_geometry(region: Region, where: Mapping[str, Any], outcome: Outcome) -> None:
    outcome.looked_at += 1
    outside = inside_picture(region)
    if outside is not None:
        outcome.offenders.append({**where, "region": region.region_id, "problem": outside})


def _verify_stored(
    db: ApertureDB, record: ProjectRecord, batch: str, touched: Sequence[int] | None, outcome: Outcome
) -> None:
    """Every current annotation in ApertureDB, of these tasks or of all, names a medium that exists once."""
    current = record.condition(equal("LS_batch", batch), missing("LS_deleted_at"))
    wanted = ["LS_annotation_id", "LS_task_id", "LS_media_guid"]
    stored = []
    for condition in [current] if touched is None else _of_tasks(current, touched):
        stored += db.find("FindEntity", condition, class_name=names.ANNOTATION, properties=wanted)
    media = media_by_guid(db, [str(row["LS_media_guid"]) for row in stored], (names.GUID,))
    for row in stored:
        found = len(media.get(str(row["LS_media_guid"]), []))
        if found != 1:
            task = int(row["LS_task_id"])
            problem = f"annotation {row['LS_annotation_id']} in ApertureDB names a GUID that {found} media have"
            outcome.offenders.append(
                {"task": task, "guid": row["LS_media_guid"], "url": record.task_url(task), "problem": problem}
            )
    outcome.facts["annotations_aperturedb"] = db.count("FindEntity", current, class_name=names.ANNOTATION)


def _of_tasks(condition: Condition, task_ids: Iterable[int]) -> list[Condition]:
    numbers = [[int(task) for task in chunk] for chunk in chunks(map(str, task_ids), 500)]
    return [all_of(condition, one_of("LS_task_id", chunk)) for chunk in numbers]


def _newer(ls: LabelStudio, record: ProjectRecord, batch: str, watermark: str) -> set[int]:
    """Tasks that somebody works on: they changed after the last sync, so the two sides may differ in them."""
    if not watermark:
        return set()
    filters = [in_batch(batch), updated_after(parse_time(watermark))]
    tasks = ls.iterate_by_id(record.project_id, filters, include=("id", "updated_at"), page_size=1000)
    return {int(task["id"]) for task in tasks}


def _verify_annotations(
    db: ApertureDB, record: ProjectRecord, tasks: Mapping[int, Mapping[str, Any]], outcome: Outcome
) -> None:
    """Each task has the same annotations on both sides, by their keys."""
    stored = annotations_of_tasks(db, record, tasks)
    for task_id, task in tasks.items():
        theirs = {annotation_guid(record, annotation) for annotation in task.get("annotations") or ()}
        ours = {guid for guid, known in stored.get(task_id, {}).items() if not known.deleted}
        outcome.looked_at += len(theirs)
        for guids, problem in ((theirs - ours, "only in Label Studio"), (ours - theirs, "only in ApertureDB")):
            if guids:
                text = f"{len(guids)} of its annotations are {problem}"
                outcome.offenders.append({"task": task_id, "problem": text, "url": record.task_url(task_id)})


def _verify_counts(
    db: ApertureDB, ls: LabelStudio, record: ProjectRecord, batch: str, newer: Set[int], outcome: Outcome
) -> None:
    current = record.condition(equal("LS_batch", batch))
    live = all_of(current, not_equal("LS_state", "withdrawn"))
    done = all_of(current, equal("LS_state", "done"))
    annotated = [in_batch(batch), Filter("total_annotations", "greater", "Number", 0)]
    pairs = {
        "tasks": (_theirs(ls, record, [in_batch(batch)], newer), _ours(db, live, newer)),
        "tasks with annotations": (_theirs(ls, record, annotated, newer), _ours(db, done, newer)),
    }
    current_annotations = all_of(current, missing("LS_deleted_at"))
    outcome.facts["annotations_aperturedb"] = db.count("FindEntity", current_annotations, class_name=names.ANNOTATION)
    outcome.facts["tasks that changed after the sync"] = len(newer)
    for what, (theirs, ours) in pairs.items():
        outcome.looked_at += theirs
        outcome.facts[f"{what} in Label Studio"], outcome.facts[f"{what} in ApertureDB"] = theirs, ours
        if theirs != ours:
            problem = f"{theirs} {what} in Label Studio, {ours} in ApertureDB"
            outcome.offenders.append({"problem": problem, "url": record.url})


def _theirs(ls: LabelStudio, record: ProjectRecord, filters: Sequence[Filter], newer: Set[int]) -> int:
    total = ls.count_tasks(record.project_id, filters)
    left_out = [ls.count_tasks(record.project_id, [*filters, id_in(group)]) for group in _groups(newer)]
    return total - sum(left_out)


def _ours(db: ApertureDB, condition: Condition, newer: Set[int]) -> int:
    total = db.count("FindEntity", condition, class_name=names.TASK)
    return total - sum(db.count("FindEntity", part, class_name=names.TASK) for part in _of_tasks(condition, newer))


def _groups(task_ids: Set[int]) -> Iterator[list[int]]:
    """As many as fit into a URL."""
    for group in groups_for_urls(map(str, sorted(task_ids))):
        yield [int(task) for task in group]
