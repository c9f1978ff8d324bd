"""The labeling project in Label Studio: found again by what ApertureDB noted, made once, its configuration applied."""

import json
import logging
import re
import uuid
from dataclasses import dataclass, replace
from typing import Final

from labeling_assets import names
from labeling_assets.clients import label_studio as ls_client
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import Filter, format_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, ProjectGoneError, RefusedError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import Project
from labeling_assets.sync.database import SCHEMA_VERSION, refuse_other_schema

_NOT_FOUND: Final = 404
OF_PROJECT: Final = ("LS_project", "LS_instance")  # whose task or annotation an object is; see `ProjectRecord.has`
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """What ApertureDB knows of a labeling project. `created_at` as Label Studio writes it, with microseconds."""

    key: str
    slug: str
    instance: str
    project_id: int
    created_at: str
    config_hash: str
    url: str

    def condition(self, *more: Condition) -> Condition:
        """Matches the tasks, or the annotations, of this project on this server, if `more` holds too."""
        return all_of(equal("LS_project", self.slug), equal("LS_instance", self.instance), *more)

    def live_tasks(self, *more: Condition) -> Condition:
        """Matches the tasks of this project that are not withdrawn, if `more` holds too."""
        return self.condition(*more, not_equal("LS_state", "withdrawn"))

    def has(self, row: Object) -> bool:
        """Whether a task or an annotation, read with `LS_project` and `LS_instance`, is of this project on this server.

        For look-ups by ids: as conditions these two would let a server begin with all tasks of the project.
        """
        return (row["LS_project"], row["LS_instance"]) == (self.slug, self.instance)

    def sync_key(self, batch: str) -> str:
        """The key of the sync state of a batch."""
        return f"{self.key}|{batch}"

    def task_url(self, task_id: int) -> str:
        """Where a person opens a task."""
        return f"{self.url}/data?task={task_id}"


def project_key(db: ApertureDB, ls: LabelStudio, project: Project) -> str:
    """The key of the project on this Label Studio server, also before the project was made.

    Raises:
        DataError: see `recorded_project`.
    """
    instance = _known_instance(db, ls, project.slug) or _new_instance(db, ls.url)
    return f"{instance}|{project.slug}"


def recorded_project(db: ApertureDB, ls: LabelStudio, project: Project) -> ProjectRecord | None:
    """The project as it was noted for this Label Studio server, or None if it was never made.

    Asks Label Studio only if its address is a new one: is it a server that is known under another?

    Raises:
        DataError: the project was made on another server.
    """
    instance = _known_instance(db, ls, project.slug)
    return _recorded(db, ls.url, instance, project.slug) if instance else None


def checked_project(ls: LabelStudio, record: ProjectRecord) -> ls_client.Project:
    """The project as Label Studio has it now, in one request.

    Raises:
        ProjectGoneError: it is gone.
        DataError: another project has its id: the server was rebuilt. Nothing was written.
    """
    try:
        found = ls.project(record.project_id, counted=False)
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        raise ProjectGoneError(
            f"Project {record.project_id} ({record.slug}) is gone from {ls.url}. Its labels stay in ApertureDB. "
            "Restore it in Label Studio. If it was deleted on purpose, run labeling-assets sync --project "
            f"{record.slug} --full --allow-mass-deletion: its annotations are then removed as the project's policy "
            "says, and the next import makes a new project."
        ) from error
    if format_time(found.created_at) != record.created_at:
        raise DataError(
            f"Project {record.project_id} in {ls.url} was made at {format_time(found.created_at)}, but ApertureDB "
            f"knows one of {record.created_at} under this id: Label Studio was rebuilt or restored. Nothing was read "
            "or written. Point LABEL_STUDIO_URL at the right server, or rename the project's folder to begin anew here."
        )
    return found


def forget_project(db: ApertureDB, record: ProjectRecord) -> None:
    """ApertureDB no longer knows a project that is gone from Label Studio, so that a new one may be made."""
    db.one("DeleteEntity", {"with_class": names.PROJECT, "constraints": equal(names.KEY, record.key)})


def ensure_project(db: ApertureDB, ls: LabelStudio, project: Project) -> ProjectRecord:
    """The project, made in Label Studio if it was never made, with the label configuration of its folder.

    Raises:
        ConfigurationError: the label configuration does not parse, or drops what is in use.
        DataError: see `checked_project` and `recorded_project`.
    """
    config = LabelConfig.parse(project.label_config())
    instance = _known_instance(db, ls, project.slug) or _new_instance(db, ls.url)
    record = _recorded(db, ls.url, instance, project.slug)
    if record is None:
        found = _found_or_made(ls, project, instance)
        _record(db, project, instance, found, config, xml=project.label_config())
        record = _recorded(db, ls.url, instance, project.slug)
        assert record is not None
    current = checked_project(ls, record)
    if record.config_hash != config.hash or current.maximum_annotations != project.annotators:
        _apply(db, ls, project, record, current, config)
    return replace(record, config_hash=config.hash)


def noted_project(db: ApertureDB, ls: LabelStudio, slug: str) -> ProjectRecord | None:
    """The project as it was noted for a server at this very address; only reads."""
    instance = _instance(db, ls.url)
    return _recorded(db, ls.url, instance, slug) if instance else None


def recorded_projects(db: ApertureDB, url: str) -> tuple[list[ProjectRecord], list[tuple[str, str]]]:
    """Every project that was noted for the server at this very address; slug and address of those on others.

    Raises:
        DataError: one of them was written in another version of the data model.
    """
    here, there = [], []
    for row in db.find("FindEntity", None, class_name=names.PROJECT, properties=[names.SLUG, "LS_instance"]):
        slug, instance = str(row[names.SLUG]), str(row["LS_instance"])
        home = _address(db, instance)
        record = _recorded(db, url, instance, slug) if home == url else None
        if record is not None:
            here.append(record)
        else:
            there.append((slug, home))
    return sorted(here, key=lambda record: record.slug), sorted(there)


def recognise_server(db: ApertureDB, ls: LabelStudio) -> None:
    """Note the address of a server that is known under another one; see `recorded_project`."""
    _known_instance(db, ls, "")


def take_over_project(db: ApertureDB, ls: LabelStudio, project: Project, found: ls_client.Project) -> ProjectRecord:
    """Note a project that is in Label Studio already as that of the folder, with the configuration it has there.

    Its description gets the marker that finds it again; nothing else of it changes.

    Raises:
        DataError: the folder's project was made on another server.
    """
    instance = _known_instance(db, ls, project.slug) or _new_instance(db, ls.url)
    marker, description = f"labeling_assets:{instance}:{project.slug}", str(found.raw.get("description") or "")
    if marker not in description:
        ls.update_project(found.id, description=f"{description} [{marker}]".strip())
    _record(db, project, instance, found, LabelConfig.parse(found.label_config), xml=found.label_config)
    record = _recorded(db, ls.url, instance, project.slug)
    assert record is not None
    return record


def _known_instance(db: ApertureDB, ls: LabelStudio, slug: str) -> str | None:
    """The server at this address; one that is known under another address (its name, port or scheme changed) moves."""
    instance = _instance(db, ls.url)
    wanted = (names.SLUG, "LS_instance", "LS_project_id", "LS_project_created_at")
    elsewhere = db.find("FindEntity", not_equal("LS_instance", instance), class_name=names.PROJECT, properties=wanted)
    if instance is None:
        instance = next((str(row["LS_instance"]) for row in elsewhere if _is_there(ls, row)), None)
        if instance is not None:
            _move(db, instance, ls.url)
            elsewhere = [row for row in elsewhere if row["LS_instance"] != instance]
    for row in elsewhere:
        if row[names.SLUG] == slug:
            home = _address(db, str(row["LS_instance"]))
            raise DataError(
                f"Project {slug!r} was made in {home}, and {ls.url} is another Label Studio. Nothing was read or "
                "written. Point LABEL_STUDIO_URL at the right one, or rename the project's folder to begin anew here."
            )
    return instance


def _is_there(ls: LabelStudio, row: Object) -> bool:
    """Whether this server has that project: the same id, made in the same microsecond."""
    try:
        found = ls.project(int(row["LS_project_id"]), counted=False)
    except RefusedError:
        return False
    return format_time(found.created_at) == str(row["LS_project_created_at"])


def _move(db: ApertureDB, instance: str, url: str) -> None:
    _log.warning("Label Studio at %s is the one that was at %s.", url, _address(db, instance))
    condition = equal(names.LS_GUID, instance)
    db.one("UpdateEntity", {"with_class": names.INSTANCE, "constraints": condition, "properties": {"LS_url": url}})


def _address(db: ApertureDB, instance: str) -> str:
    found = db.find("FindEntity", equal(names.LS_GUID, instance), class_name=names.INSTANCE, properties=["LS_url"])
    return str(found[0]["LS_url"]) if found else "a Label Studio of unknown address"


def _instance(db: ApertureDB, url: str) -> str | None:
    found = db.find("FindEntity", equal("LS_url", url), class_name=names.INSTANCE, properties=[names.LS_GUID])
    return str(found[0][names.LS_GUID]) if found else None


def _new_instance(db: ApertureDB, url: str) -> str:
    properties = {"LS_url": url, names.LS_GUID: str(uuid.uuid4())}
    db.one("AddEntity", {"class": names.INSTANCE, "properties": properties, "if_not_found": equal("LS_url", url)})
    instance = _instance(db, url)
    assert instance is not None
    return instance


def _recorded(db: ApertureDB, url: str, instance: str, slug: str) -> ProjectRecord | None:
    key = f"{instance}|{slug}"
    wanted = ("LS_project_id", "LS_project_created_at", "LS_config_hash", names.SCHEMA_VERSION)
    found = db.find("FindEntity", equal(names.KEY, key), class_name=names.PROJECT, properties=wanted)
    if not found:
        return None
    refuse_other_schema(slug, found[0][names.SCHEMA_VERSION])
    project_id = int(found[0]["LS_project_id"])
    created_at, config_hash = str(found[0]["LS_project_created_at"]), str(found[0]["LS_config_hash"])
    return ProjectRecord(key, slug, instance, project_id, created_at, config_hash, f"{url}/projects/{project_id}")


def _found_or_made(ls: LabelStudio, project: Project, instance: str) -> ls_client.Project:
    """A run that was killed after making the project left its marker in the description."""
    marker = f"labeling_assets:{instance}:{project.slug}"
    for candidate in ls.find_projects_by_title(project.title):
        description = candidate.raw.get("description") or ""
        if marker in description:
            return candidate
        if re.search(rf"labeling_assets:[^:\]]+:{re.escape(project.slug)}\]", description):
            _log.warning(
                "Project %s in %s has the title %r too and was filled from another ApertureDB, or from this one before "
                "it was restored to an older copy. A new project is made; labels in the old one are not read.",
                candidate.id,
                ls.url,
                project.title,
            )
    try:
        return ls.create_project(
            project.title,
            project.label_config(),
            description=f"Filled by labeling_assets. [{marker}]",
            maximum_annotations=project.annotators,
        )
    except RefusedError as error:
        raise ConfigurationError(f"Label Studio refuses project {project.slug!r}: {error}") from error


def _record(
    db: ApertureDB, project: Project, instance: str, found: ls_client.Project, config: LabelConfig, *, xml: str
) -> None:
    key = f"{instance}|{project.slug}"
    query = Query()
    reference = query.reference()
    properties = {
        names.KEY: key,
        names.SLUG: project.slug,
        "LS_instance": instance,
        "LS_project_id": found.id,
        "LS_project_created_at": format_time(found.created_at),
        "LS_title": found.title,
        "LS_config_hash": config.hash,
        names.SCHEMA_VERSION: SCHEMA_VERSION,
    }
    body = {"_ref": reference, "class": names.PROJECT, "properties": properties, "if_not_found": equal(names.KEY, key)}
    query.add("AddEntity", body)
    note_config(query, reference, key, config, xml)
    query.add(
        "UpdateEntity",
        {
            "with_class": names.INSTANCE,
            "constraints": all_of(equal(names.LS_GUID, instance), equal("LS_first_created_at", None)),
            "properties": {"LS_first_created_at": format_time(found.created_at)},
        },
    )
    db.run(query)


def note_config(query: Query, project_reference: int, key: str, config: LabelConfig, xml: str) -> None:
    """Keep a label configuration, and that the project with this key had it."""
    reference = query.reference()
    query.add(
        "AddEntity",
        {
            "_ref": reference,
            "class": names.CONFIG,
            "properties": {"LS_hash": config.hash, "LS_xml": xml},
            "if_not_found": equal("LS_hash", config.hash),
        },
    )
    edge = f"{key}|{config.hash}"
    query.connect(names.PROJECT_CONFIG, edge, source=project_reference, destination=reference)


def _apply(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    record: ProjectRecord,
    current: ls_client.Project,
    config: LabelConfig,
) -> None:
    if project.label_config_changes == "refuse":
        _refuse_losses(db, ls, record, current, config)
    try:
        ls.update_project(
            record.project_id, label_config=project.label_config(), maximum_annotations=project.annotators
        )
    except RefusedError as error:
        raise ConfigurationError(f"Label Studio refuses the configuration of {project.slug!r}: {error}") from error
    query = Query()
    reference = query.reference()
    query.add(
        "FindEntity", {"_ref": reference, "with_class": names.PROJECT, "constraints": equal(names.KEY, record.key)}
    )
    note_config(query, reference, record.key, config, project.label_config())
    query.add(
        "UpdateEntity",
        {
            "with_class": names.PROJECT,
            "constraints": equal(names.KEY, record.key),
            "properties": {"LS_config_hash": config.hash},
        },
    )
    db.run(query)


def _refuse_losses(
    db: ApertureDB, ls: LabelStudio, record: ProjectRecord, current: ls_client.Project, config: LabelConfig
) -> None:
    """A label in use that disappears, or a variable that existing tasks lack: Label Studio accepts both in silence."""
    old = LabelConfig.parse(current.label_config)
    added = sorted(set(config.variables) - set(old.variables))
    if added and current.task_number:
        raise ConfigurationError(
            f"The new label configuration of {record.slug!r} needs the variable(s) {', '.join(added)}, which its "
            f"{current.task_number} tasks do not have. Keep the old names, or set label_config_changes: allow."
        )
    dropped = sorted(_all_labels(old) - _all_labels(config))
    used = {label: uses for label in dropped if (uses := _uses(db, ls, record, label))}
    if used:
        named = ", ".join(f"{label} ({uses})" for label, uses in used.items())
        raise ConfigurationError(
            f"The new label configuration of {record.slug!r} drops labels in use: {named}. "
            "Keep them, relabel first, or set label_config_changes: allow in project.yaml."
        )


def _all_labels(config: LabelConfig) -> set[str]:
    return {label for control in config.controls for label in config.labels_of(control.name) or ()}


def _uses(db: ApertureDB, ls: LabelStudio, record: ProjectRecord, label: str) -> str:
    """How often a label is used, for people; empty if it is not, neither here nor in what was not collected yet."""
    query = Query()
    reference = query.reference()
    condition = equal(names.KEY, f"{record.slug}|{label}")
    query.add("FindEntity", {"_ref": reference, "with_class": names.LABEL, "constraints": condition})
    own = not_equal("LS_derived", True)
    body = {"with_class": names.REGION_LABEL, "dst": reference, "constraints": own, "results": {"count": True}}
    edges = query.add("FindConnection", body)
    if db.count("FindEntity", condition, class_name=names.LABEL):
        regions = db.run(query).count(edges)
        if regions:
            return f"{regions} regions"
    # The database behind Label Studio keeps letters beyond ASCII as they are, or escaped.
    spellings = {json.dumps(label), json.dumps(label, ensure_ascii=False)}
    filters = [Filter("annotations_results", "contains", "String", spelling) for spelling in spellings]
    tasks = max(ls.count_tasks(record.project_id, [contains]) for contains in filters)
    return f"in {tasks} tasks" if tasks else ""
