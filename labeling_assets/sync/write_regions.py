"""The regions of one annotation as commands of a query, with everything that is derived from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.clients.query import Query
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.objects import form_of
from labeling_assets.mapping.region import FrameRange, Mask, Native, PixelBox, PixelPolygon, Region, TimeRange
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import ROLE, Medium
from labeling_assets.sync.stored_annotations import IMPORTED

# References go to 99,999 and a message to 256 MB; an annotation is never spread over several queries.
MOST_COMMANDS: Final = 60_000
MOST_MASK_BYTES: Final = 64_000_000
MASK: Final = "mask"  # the role of a blob that is one
_ADD: Final[dict[type, tuple[str, str]]] = {  # form -> command, and what it is put on
    PixelBox: ("AddBoundingBox", "Image"),
    PixelPolygon: ("AddPolygon", "Image"),
    FrameRange: ("AddClip", "Video"),
    TimeRange: ("AddClip", "Video"),
}
_OWNER: Final = {"AddBoundingBox": "image_ref", "AddPolygon": "image_ref", "AddClip": "video_ref"}
# What a keyframe and a mask repeat of their region, so that they are found without it.
_OF_KEYFRAMES: Final = (
    "LS_annotation_guid",
    "LS_project",
    "LS_batch",
    "LS_media_guid",
    "LS_run_id",
    "LS_id",
    "LS_label",
)
_OF_MASKS: Final = (
    *_OF_KEYFRAMES,
    "LS_annotation_id",
    "LS_task_id",
    "LS_annotator",
    "LS_source",
    "LS_updated_at",
    "LS_from_name",
    "LS_kind",
    "LS_labels",
    "LS_mask_format",
    "LS_mask_width",
    "LS_mask_height",
    "LS_area_px",
)

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What the annotations of one task share: references in the query, and properties of all they write."""

    record: ProjectRecord
    batch: str
    task_id: int
    medium: Medium
    medium_reference: int
    task_reference: int
    annotators: Mapping[int, str]
    run_id: str


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a region is written; ApertureDB may refuse the rest, and `reason` says in which words.

    `derived` are the boxes, outlines and spans made from regions; `polygons`, `clips` and `boxes` are what regions are:
    without one of them such a region is an `LS_region`, and none is derived either; `extras` are key frames and masks.
    """

    derived: bool = True
    polygons: bool = True
    clips: bool = True
    boxes: bool = True
    extras: bool = True
    reason: str = ""

    @property
    def missing(self) -> str:
        """What is not written, for people."""
        parts = [(self.derived, "derived boxes, outlines and spans"), (self.polygons, "polygons")]
        parts += [(self.clips, "clips"), (self.boxes, "boxes"), (self.extras, "key frames and masks")]
        return ", ".join(what for there, what in parts if not there)

    def takes(self, form: type) -> bool:
        """Whether objects of this form are written."""
        return {PixelBox: self.boxes, PixelPolygon: self.polygons}.get(form, self.clips)

    def dropped(self, regions: Iterable[Region]) -> frozenset[str]:
        """Which sorts of objects these regions would have and do not get: empty if they get all."""
        return frozenset(sort for region in regions for sort in self._dropped(region))

    def _dropped(self, region: Region) -> Iterator[str]:
        if region.native is not None and not self.takes(type(region.native)):
            yield _ADD[type(region.native)][0]
        derived: list[tuple[object, type]] = [(region.derived_box, PixelBox), (region.spans, FrameRange)]
        for there, form in (*derived, (region.derived_polygon, PixelPolygon)):
            if there and not (self.derived and self.takes(form)):
                yield f"derived {_ADD[form][0]}"
        if not self.extras and (region.keyframes or region.mask):
            yield "extras"


# What is tried for a task that is refused, in this order, so that one polygon neither holds up a batch nor costs its
# neighbours their forms.
LESS: Final = (
    Detail(derived=False),
    Detail(polygons=False),
    Detail(clips=False),
    Detail(boxes=False),
    Detail(derived=False, polygons=False, clips=False),
    Detail(derived=False, polygons=False, clips=False, boxes=False),
    Detail(derived=False, polygons=False, clips=False, boxes=False, extras=False),
)


@dataclass(slots=True)
class RegionWriter:
    """Appends the regions of annotations to one query.

    Args:
        query: Receives the commands.
        detail: How much is written.
        labels: Label -> reference, for labels already in this query.
        left_out: What one query has no room for and stands in the annotation's JSON only, one text each.
    """

    query: Query
    detail: Detail = field(default_factory=Detail)
    labels: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    _mask_bytes: int = 0

    def write(
        self, task: TaskContext, mapped: MappedAnnotation, shared: Properties, *, guid: str, annotation: int
    ) -> None:
        """Add what is not there yet.

        Args:
            task: Whose annotation it is.
            mapped: Its regions and relations.
            shared: Properties of the annotation that each of its objects repeats.
            guid: The key of the annotation.
            annotation: Its reference.
        """
        if sum(map(_commands, mapped.regions)) + len(mapped.relations) > self._room:
            self.left_out.append(f"its {len(mapped.regions)} regions")
            return
        references = {
            region.region_id: _RegionObjects(self, task, region, shared, guid).add(annotation)
            for region in mapped.regions
        }
        for number, relation in enumerate(mapped.relations):
            self.query.connect(
                names.REGION_RELATION,
                labels_guid("relation", guid, number, relation.from_id, relation.to_id),
                source=references[relation.from_id],
                destination=references[relation.to_id],
                LS_direction=relation.direction,
                LS_labels=",".join(relation.labels),
            )
        if self.detail.extras:
            for region in mapped.regions:
                self._extras(_RegionObjects(self, task, region, shared, guid), references[region.region_id])

    def remove(self, guid: str) -> None:
        """Delete everything that the regions of an annotation are; their connections go with them."""
        condition = equal("LS_annotation_guid", guid)
        for kind in ("BoundingBox", "Polygon", "Clip"):
            self.query.add(f"Delete{kind}", {"constraints": condition})
        for class_name in (names.REGION, names.KEYFRAME):
            self.query.add("DeleteEntity", {"with_class": class_name, "constraints": condition})
        self.query.add("DeleteBlob", {"constraints": all_of(condition, equal(ROLE, MASK))})

    def label(self, slug: str, label: str) -> int:
        """A reference to a label of a project, which is added at its first use."""
        if label not in self.labels:
            reference = self.labels[label] = self.query.reference()
            key = f"{slug}|{label}"
            properties = {names.KEY: key, "LS_project": slug, "LS_label": label}
            condition = equal(names.KEY, key)
            body = {"_ref": reference, "class": names.LABEL, "properties": properties, "if_not_found": condition}
            self.query.add("AddEntity", body)
        return self.labels[label]

    @property
    def _room(self) -> int:
        return MOST_COMMANDS - len(self.query.commands)

    def _extras(self, objects: "_RegionObjects", reference: int) -> None:
        """Keyframes and mask of a region, if there is room for them; the regions themselves have been added."""
        region = objects.region
        if 2 * len(region.keyframes) <= self._room:
            objects.add_keyframes(reference)
        else:
            self.left_out.append(f"the {len(region.keyframes)} keyframes of region {region.region_id!r}")
        if region.mask is None:
            return
        if self._mask_bytes + len(region.mask.png) <= MOST_MASK_BYTES and self._room >= 3:
            self._mask_bytes += len(region.mask.png)
            objects.add_mask(reference, region.mask)
        else:
            self.left_out.append(f"the mask of region {region.region_id!r} ({len(region.mask.png):,} bytes)")


class _RegionObjects:
    """One region, and what it is in ApertureDB."""

    def __init__(self, writer: RegionWriter, task: TaskContext, region: Region, shared: Properties, guid: str) -> None:
        self._writer, self._query, self._task, self.region = writer, writer.query, task, region
        self._key = labels_guid("region", guid, region.region_id)
        self._properties: Properties = {
            **shared,
            **region.as_properties(),
            **_times(region.native, region.properties, task.medium),
            names.LS_GUID: self._key,
            "LS_derived": False,
        }

    def add(self, annotation: int) -> int:
        """Add everything but keyframes and mask; returns the reference of the region."""
        native = self.region.native
        reason = self._refusal(native)
        if reason:
            native, self._properties["LS_reason"] = None, reason
        # Without a native label what a push copied is not counted beside its original.
        searchable = self.region.labels and self._properties.get("LS_source") != IMPORTED
        label = self.region.labels[0] if searchable else None
        parameters = {**form_of(native), **({"label": label} if native and label is not None else {})}
        reference = self._object(type(native), parameters, self._properties, annotation)
        if native is None:
            self._show_medium(reference, self._key)
        self._connect_labels(reference, self._key, derived=False)
        if self._writer.detail.derived:
            self._add_derived(annotation)
        return reference

    def _connect_labels(self, reference: int, key: str, *, derived: bool) -> None:
        for name, control, ancestor in _label_edges(self.region):
            self._query.connect(
                names.REGION_LABEL,
                f"{key}|{control}|{name}",
                source=reference,
                destination=self._writer.label(self._task.record.slug, name),
                LS_from_name=control,
                LS_ancestor=ancestor,
                LS_derived=derived,
            )

    def _refusal(self, native: Native | None) -> str | None:
        """Why a form cannot be put on this medium."""
        if native is None:
            return None
        wanted, kind = _ADD[type(native)][1], self._task.medium.kind
        if kind != wanted:
            return f"the medium is stored as {kind}, not as {wanted}"
        detail = self._writer.detail
        return None if detail.takes(type(native)) else f"refused by ApertureDB: {detail.reason}"

    def _add_derived(self, annotation: int) -> None:
        """They carry no native label, so that searches by native label never count twice.

        Boxes have the connections to labels: those of one label are a box around every region that has it.
        """
        region = self.region
        if region.derived_box is not None:
            box = self._derive("derived", PixelBox, form_of(region.derived_box), annotation)
            if box is not None:
                self._connect_labels(box, labels_guid("derived", self._key), derived=True)
        if region.derived_polygon:
            parts = [[list(point) for point in part.points] for part in region.derived_polygon]
            self._derive("derived_polygon", PixelPolygon, {"polygons": parts}, annotation)
        for number, span in enumerate(region.spans):
            frames = {"LS_start_frame": span.first, "LS_end_frame": span.last}
            self._derive(f"span {number}", FrameRange, form_of(span), annotation, frames | _span_times(span, self._fps))

    def _derive(
        self, what: str, form: type, parameters: Properties, annotation: int, more: Mapping[str, Any] | None = None
    ) -> int | None:
        """The reference of what was added; None if the medium cannot hold it, or ApertureDB does not take it."""
        if self._task.medium.kind != _ADD[form][1] or not self._writer.detail.takes(form):
            return None
        key = labels_guid(what, self._key)
        properties = {**self._properties, **(more or {}), names.LS_GUID: key, "LS_derived": True}
        properties.pop("LS_reason", None)
        return self._object(form, parameters, properties, annotation)

    def _object(self, form: type, parameters: Properties, properties: Properties, annotation: int) -> int:
        """A box, polygon, clip or, for any other form, an entity; connected from its annotation."""
        reference = self._query.reference()
        body = {
            "_ref": reference,
            "properties": properties,
            "if_not_found": equal(names.LS_GUID, properties[names.LS_GUID]),
            **parameters,
        }
        if form in _ADD:
            command = _ADD[form][0]
            self._query.add(command, {**body, _OWNER[command]: self._task.medium_reference})
        else:
            self._query.add("AddEntity", {"class": names.REGION, **body})
        key = str(properties[names.LS_GUID])
        self._query.connect(names.ANNOTATION_REGION, key, source=annotation, destination=reference)
        return reference

    def _show_medium(self, reference: int, key: str) -> None:
        medium = self._task.medium_reference
        self._query.connect(names.REGION_MEDIA, f"{key}|media", source=reference, destination=medium)

    @property
    def _fps(self) -> float | None:
        found = self._task.medium.properties.get("LS_fps")
        return float(found) if found else None

    def add_keyframes(self, region: int) -> None:
        """One entity for each keyframe; `region` is the reference of the region."""
        common = self._repeated(_OF_KEYFRAMES)
        for number, keyframe in enumerate(self.region.keyframes):
            key = labels_guid("keyframe", self._key, number, keyframe.frame)
            self._add_extra(
                "AddEntity",
                {"class": names.KEYFRAME},
                {**common, **keyframe.properties, names.LS_GUID: key, "LS_frame": keyframe.frame},
                edge=(names.REGION_KEYFRAME, region),
            )

    def add_mask(self, region: int, mask: Mask) -> None:
        """A blob that is a PNG; `region` is the reference of the region."""
        key = labels_guid("mask", self._key)
        size: Properties = {"LS_mask_width": mask.width, "LS_mask_height": mask.height}
        properties = {**self._repeated(_OF_MASKS), **size, names.LS_GUID: key, ROLE: MASK, "LS_mime_type": "image/png"}
        reference = self._add_extra("AddBlob", {}, properties, edge=(names.REGION_MASK, region), blob=mask.png)
        self._show_medium(reference, key)

    def _repeated(self, wanted: Sequence[str]) -> Properties:
        return {name: self._properties[name] for name in wanted if name in self._properties}

    def _add_extra(
        self,
        command: str,
        body: Properties,
        properties: Properties,
        *,
        edge: tuple[str, int],
        blob: bytes | None = None,
    ) -> int:
        reference, key = self._query.reference(), str(properties[names.LS_GUID])
        added = {**body, "_ref": reference, "properties": properties, "if_not_found": equal(names.LS_GUID, key)}
        self._query.add(command, added, blob)
        self._query.connect(edge[0], key, source=edge[1], destination=reference)
        return reference


def _commands(region: Region) -> int:
    """How many commands a region takes without its keyframes and its mask, at most."""
    boxes = int(region.derived_box is not None)
    objects = 1 + boxes + bool(region.derived_polygon) + len(region.spans)
    return 2 * objects + 1 + (2 + boxes) * sum(1 for _ in _label_edges(region))


def _label_edges(region: Region) -> Iterator[tuple[str, str, bool]]:
    """Name, control that gave it (empty if none is known), and whether it only stands above what was given."""
    given = {name: [it for it, used in region.vocabulary.items() if name in used] for name in region.searchable}
    for name, controls in given.items():
        above = not controls and name not in region.labels
        for control in controls or (_controls_below(region, name) if above else ()) or ("",):
            yield name, control, above


def _controls_below(region: Region, ancestor: str) -> Iterable[str]:
    """The controls that gave a path which goes through `ancestor`."""
    path = f"{ancestor}/"
    return [control for control, used in region.vocabulary.items() if any(name.startswith(path) for name in used)]


def _times(native: Native | None, properties: Mapping[str, Any], medium: Medium) -> Properties:
    """Seconds of a clip as far as the region has none of its own, and the length of every time range."""
    times: Properties = {}
    if isinstance(native, FrameRange):
        fps = medium.properties.get("LS_fps")
        times = _span_times(native, float(fps) if fps else None)
    elif isinstance(native, TimeRange):
        times = {"LS_start_s": native.start_s, "LS_end_s": native.end_s}
    times |= {name: properties[name] for name in ("LS_start_s", "LS_end_s") if name in properties}
    if len(times) < 2:
        return times
    return {"LS_start_s": times["LS_start_s"], "LS_end_s": times["LS_end_s"], "LS_length_s": _length(times)}


def _span_times(span: FrameRange, fps: float | None) -> Properties:
    """A span ends where its last frame ends."""
    if not fps:
        return {}
    times = {"LS_start_s": span.first / fps, "LS_end_s": (span.last + 1) / fps}
    return {**times, "LS_length_s": _length(times)}


def _length(times: Mapping[str, float]) -> float:
    return round(times["LS_end_s"] - times["LS_start_s"], 9)
