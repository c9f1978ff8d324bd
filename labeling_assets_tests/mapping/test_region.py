from labeling_assets.mapping.region import Region


def test_properties_hold_what_is_known():
    region = Region("a", "l", "i", "rectanglelabels", "box", labels=("猫", "x"), properties={"LS_x": 1.5})
    assert region.as_properties() == {
        "LS_id": "a",
        "LS_from_name": "l",
        "LS_to_name": "i",
        "LS_type": "rectanglelabels",
        "LS_kind": "box",
        "LS_label": "猫",
        "LS_labels": '["猫", "x"]',
        "LS_task_level": False,
        "LS_x": 1.5,
    }


def test_names_can_be_property_names():
    """ApertureDB takes letters, digits, `_` and `-`; what this package owns begins with LS_."""
    region = Region("a", "l", "i", "t", "k", ("l",), "t", 1.0, "o", "p", 1, reason="r")
    assert all(name.startswith("LS_") and len(name) <= 64 for name in region.as_properties())
