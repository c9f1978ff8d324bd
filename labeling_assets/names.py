"""Class and property names in ApertureDB, in one place (docs/data_model.md describes them).

The names that ApertureData's own Label Studio storage uses are kept with their meaning. All names that this
package owns begin with `LS_`, because a property's type is fixed per class for ever.
"""

from typing import Final

# Classes of entities.
BATCH: Final = "LS_batch"
INSTANCE: Final = "LS_instance"
PROJECT: Final = "LS_project"
CONFIG: Final = "LS_config"
TASK: Final = "LS_task"
ANNOTATION: Final = "LS_annotation"
PREDICTION: Final = "LS_prediction"
SENT: Final = "LS_sent"
REVISION: Final = "LS_annotation_revision"
REGION: Final = "LS_region"
KEYFRAME: Final = "LS_keyframe"
LABEL: Final = "LS_label"
SYNC: Final = "LS_sync"
NOTE: Final = "LS_note"
UNEXPECTED: Final = "LS_unexpected"
LINK_RULE: Final = "LS_link_rule"

# Built-in classes, as they are named in connections and indexes.
IMAGE: Final = "_Image"
VIDEO: Final = "_Video"
BLOB: Final = "_Blob"
BOUNDING_BOX: Final = "_BoundingBox"
POLYGON: Final = "_Polygon"
CLIP: Final = "_Clip"

# Classes of connections, source -> destination.
BATCH_MEDIA: Final = "LS_batch_media"
PROJECT_CONFIG: Final = "LS_project_config"
PROJECT_TASK: Final = "LS_project_task"
TASK_MEDIA: Final = "LS_task_media"
TASK_ANNOTATION: Final = "LS_task_annotation"
ANNOTATION_IMAGE: Final = "LS_annotation_image"
ANNOTATION_MEDIA: Final = "LS_annotation_media"
ANNOTATION_REGION: Final = "LS_annotation_region"
ANNOTATION_HISTORY: Final = "LS_annotation_history"
ANNOTATION_PAYLOAD: Final = "LS_annotation_payload"
REGION_MEDIA: Final = "LS_region_media"
REGION_LABEL: Final = "LS_region_label"
REGION_KEYFRAME: Final = "LS_region_keyframe"
REGION_MASK: Final = "LS_region_mask"
REGION_RELATION: Final = "LS_relation"

# Properties that are used as keys.
GUID: Final = "guid"  # of a medium
LS_GUID: Final = "LS_guid"  # of everything this package adds
KEY: Final = "LS_key"
SCHEMA_VERSION: Final = "LS_schema_version"
SLUG: Final = "LS_slug"


def state_property(project_slug: str) -> str:
    """The medium's property that says how far it is in one labeling project.

    Values: new, open, done, skipped, withdrawn. A property name may hold letters, digits, `_` and `-`.
    """
    return f"LS_state_{project_slug}"
