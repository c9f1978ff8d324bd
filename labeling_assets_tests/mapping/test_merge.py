import time
from typing import Any

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, Region

PLACE = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}


def item(result_type: str, from_name: str, **fields: Any) -> dict[str, Any]:
    value = {**PLACE, **fields.pop("value", {})}
    return {"id": "a", "type": result_type, "from_name": from_name, "to_name": "i", "value": value, **fields}


def merged(*items: dict[str, Any]) -> Region:
    (region,) = map_annotation(items, Medium("image", 100, 100)).regions
    return region


def test_the_form_names_the_region_wherever_it_stands():
    region = merged(item("choices", "state", value={"choices": ["wet"]}), item("rectangle", "box"))
    assert (region.type, region.from_name, region.kind) == ("rectangle", "box", "box")
    assert region.native == PixelBox(10, 10, 20, 20)
    assert region.positions == (0, 1)


def test_choices_of_a_form_are_no_labels_of_it():
    region = merged(item("rectangle", "box"), item("choices", "state", value={"choices": ["wet", "dark"]}))
    assert region.labels == ()
    assert region.properties["LS_choice"] == "wet"
    assert region.properties["LS_attributes"] == '{"state": ["wet", "dark"]}'


def test_labels_of_several_controls_are_kept_once():
    region = merged(
        item("rectanglelabels", "box", value={"rectanglelabels": ["car"]}),
        item("labels", "color", value={"labels": ["red", "car"]}),
    )
    assert region.labels == ("car", "red")


def test_several_texts_are_a_json_list():
    region = merged(item("rectangle", "box"), item("textarea", "note", value={"text": ["a", "b"]}))
    assert region.text == '["a", "b"]'


def test_the_first_of_two_ratings_can_be_searched_and_both_are_kept():
    region = merged(
        item("rectangle", "box"), item("rating", "q", value={"rating": 2}), item("rating", "r", value={"rating": 5})
    )
    assert region.properties["LS_rating"] == 2.0
    assert region.properties["LS_attributes"] == '{"q": 2, "r": 5}'


def test_a_malformed_note_does_not_cost_the_box():
    region = merged(item("rectangle", "box"), item("textarea", "note", value={"text": 5}))
    assert region.native == PixelBox(10, 10, 20, 20)


def test_score_and_origin_are_the_first_that_are_given():
    region = merged(item("rectangle", "box", origin="manual"), item("labels", "l", value={"labels": []}, score=0.5))
    assert (region.origin, region.score) == ("manual", 0.5)


def test_twenty_thousand_items_of_one_region_take_seconds():
    items = [item("rectangle", "box"), *(item("choices", "c", value={"choices": [f"{n}"]}) for n in range(20_000))]
    started = time.process_time()
    region = merged(*items)
    assert time.process_time() - started < 4
    assert len(region.vocabulary["c"]) == 20_000


def test_labels_of_a_form_are_not_the_form_wherever_they_stand():
    form = {"sequence": [{"frame": 1, "enabled": False}], "labels": ["car"]}
    items = [
        {"id": "a", "type": name, "from_name": name, "to_name": "v", "value": form}
        for name in ("labels", "videorectangle")
    ]
    for given in (items, items[::-1]):
        (region,) = map_annotation(given, Medium("video")).regions
        assert (region.type, region.from_name) == ("videorectangle", "videorectangle")


def test_the_place_of_a_taxonomy_is_not_one_of_another_form():
    """Each repeats the form of its region; what is written under one id by mistake does not mix."""
    taxonomy = {"start": 1, "end": 2, "text": "a", "taxonomy": [["x"]]}
    items = [
        {"id": "a", "type": "taxonomy", "from_name": "t", "to_name": "v", "value": taxonomy},
        {"id": "a", "type": "rectangle", "from_name": "b", "to_name": "v", "value": PLACE},
    ]
    region = merged(*items)
    assert "LS_start" not in region.properties
    assert region.properties["LS_paths"] == '[["x"]]'
