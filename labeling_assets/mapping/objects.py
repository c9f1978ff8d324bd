"""What an annotation becomes in ApertureDB, as JSON: for people, and to be compared in tests."""

import hashlib
import io
from dataclasses import asdict

from PIL import Image

from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.region import FrameRange, Mask, Native, PixelBox, PixelPolygon, Region


def objects_of(mapped: MappedAnnotation) -> dict[str, object]:
    """`regions`, `relations` and `problems`; forms as the commands of ApertureDB take them."""
    relations = [
        {"from": it.from_id, "to": it.to_id, "direction": it.direction, "labels": list(it.labels)}
        for it in mapped.relations
    ]
    return {
        "regions": [region_object(region) for region in mapped.regions],
        "relations": relations,
        "problems": list(mapped.problems),
    }


def region_object(region: Region) -> dict[str, object]:
    """One region: its properties, its form, and everything that is derived from it or connected with it."""
    given: dict[str, object] = {"properties": region.as_properties(), **form_of(region.native)}
    if region.derived_box is not None:
        given["derived_box"] = asdict(region.derived_box)
    if region.derived_polygon:
        given["derived_polygon"] = [[list(point) for point in part.points] for part in region.derived_polygon]
    if region.spans:
        given["spans"] = [{"start": span.first, "stop": span.last} for span in region.spans]
    if region.keyframes:
        given["keyframes"] = [{"LS_frame": it.frame, **it.properties} for it in region.keyframes]
    if region.mask is not None:
        given["mask"] = _mask(region.mask)
    extra = [name for name in region.searchable if name not in region.labels]
    return {**given, **({"also_found_by": extra} if extra else {})}


def form_of(form: Native | None) -> dict[str, object]:
    """The parameters of AddBoundingBox, AddPolygon or AddClip; empty for what becomes an entity."""
    if isinstance(form, PixelBox):
        return {"rectangle": asdict(form)}
    if isinstance(form, PixelPolygon):
        return {"polygons": [[list(point) for point in form.points]]}
    if isinstance(form, FrameRange):
        return {"frame_number_range": {"start": form.first, "stop": form.last}}
    if form is not None:
        return {"time_offset_range": {"start": time_offset(form.start_s), "stop": time_offset(form.end_s)}}
    return {}


def time_offset(seconds: float) -> str:
    """`hh:mm:ss.uuuuuu`, as ApertureDB writes times in videos."""
    minutes, micros = divmod(round(seconds * 1e6), 60_000_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{micros // 1_000_000:02}.{micros % 1_000_000:06}"


def _mask(mask: Mask) -> dict[str, object]:
    """The pixels by their digest: two encoders write the same picture in different bytes."""
    with Image.open(io.BytesIO(mask.png)) as picture:
        digest = hashlib.sha256(picture.convert("L").tobytes()).hexdigest()
    return {"width": mask.width, "height": mask.height, "pixels_sha256": digest}
