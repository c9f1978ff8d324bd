"""A stored medium as the mapping knows it: its size, its times, and the tags that show it."""

from collections.abc import Mapping
from typing import Any

from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.medium import Medium as Picture
from labeling_assets.media_urls import guid_in_link
from labeling_assets.sync.media_store import Medium


def tags_showing(guid: str, config: LabelConfig, data: Mapping[str, Any]) -> frozenset[str] | None:
    """The tags of the label configuration that show the medium in a task with this data; None if it does not say so.

    A task may show other pictures or sounds beside its medium.
    """
    found = {tag.name for tag in config.objects if any(_links_to(guid, data.get(it)) for it in tag.variables)}
    return frozenset(found) if found and not any("{{" in name for name in found) else None


def _links_to(guid: str, value: object) -> bool:
    return any(guid_in_link(link) == guid for link in (value if isinstance(value, list) else [value]))


def picture_of(medium: Medium, text: str | None = None) -> Picture:
    """The medium as the mapping sees it: sizes of the picture upright, as Label Studio shows it.

    `text` are its characters, where they are at hand. Facts that ApertureDB does not hold are None.
    """
    held = medium.properties
    width, height = _whole(held.get("LS_width")), _whole(held.get("LS_height"))
    orientation = _whole(held.get("LS_orientation")) or 1
    if orientation >= 5:  # EXIF 5 to 8 lie on their side
        width, height = height, width
    return Picture(
        str(held.get("LS_media_type") or "other"),
        width,
        height,
        orientation,
        fps=held.get("LS_fps"),
        frame_count=_whole(held.get("LS_frame_count")),
        duration_s=held.get("LS_duration_s"),
        channels=_whole(held.get("LS_channels")),
        text=text,
    )


def _whole(value: Any) -> int | None:
    """ApertureDB gives every number back as a float."""
    return int(value) if value else None
