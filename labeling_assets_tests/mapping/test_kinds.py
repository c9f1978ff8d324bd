import ast
from pathlib import Path

import labeling_assets.mapping
from labeling_assets.mapping.kinds import KINDS, kind_of, outline
from labeling_assets.mapping.region import Region

NAMES = {"LS_x": 10.0, "LS_y": 20.0, "LS_width": 30.0, "LS_height": 40.0}


def test_unknown_kinds_have_a_row_too():
    assert kind_of("tomorrow").role.name == "UNKNOWN_FORM"


# Those that read the configuration's tags, write commands of ApertureDB, or make items of their own.
NAMING = ("kinds.py", "label_config.py", "objects.py", "from_native.py", "validate.py", "validate_ranges.py")


def test_only_the_table_names_types():
    """No module of the mapping that reads labels compares with their type."""
    folder = Path(labeling_assets.mapping.__file__).parent
    names = {name for name in KINDS if name not in ("choices", "labels", "rating", "number", "datetime")}
    for path in folder.glob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        if path.name not in NAMING:
            assert not (texts & names) - {path.stem}, path.name


def test_outline_of_a_box():
    region = Region("a", "l", "i", "rectangle", "box", properties={**NAMES, "LS_rotation": 0.0})
    assert outline(region) == ((10, 20), (40, 20), (40, 60), (10, 60))


def test_outline_of_a_rotated_box_needs_the_shape_of_the_picture():
    properties = {**NAMES, "LS_rotation": 90.0}
    assert outline(Region("a", "l", "i", "rectangle", "rotated_box", properties=properties)) is None
    properties |= {"LS_shown_width": 200.0, "LS_shown_height": 100.0}
    region = Region("a", "l", "i", "rectangle", "rotated_box", properties=properties)
    assert outline(region) == ((10, 20), (10, 80), (-10, 80), (-10, 20))


def test_outline_of_what_has_none():
    assert outline(Region("a", "l", "i", "choices", "choices")) is None
