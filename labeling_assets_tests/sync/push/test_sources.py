"""What there is to send is read in pages, while others write."""

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.sync.push import sources as push_sources
from labeling_assets.sync.push.sources import AnnotationSource, media_with_regions
from labeling_assets_tests.sync.world import Stock, pictures


def test_pages_lose_no_medium_when_another_one_goes(stock: Stock, monkeypatch):
    monkeypatch.setattr(push_sources, "_PAGE", 2)
    guids = sorted(stock.hand_in(pictures(5)).guids)
    for guid in guids:
        query = Query()
        image = query.reference()
        query.add("FindImage", {"_ref": image, "constraints": equal(names.GUID, guid), "blobs": False})
        box = {"x": 1, "y": 1, "width": 2, "height": 2}
        query.add("AddBoundingBox", {"image_ref": image, "rectangle": box, "label": "car"})
        stock.db.run(query)
    found = media_with_regions(stock.db)
    first = [next(found), next(found)]
    query = Query()
    query.add("DeleteImage", {"constraints": equal(names.GUID, first[0])})
    stock.db.run(query)
    assert sorted([*first, *found]) == guids


def test_pages_lose_no_annotation_when_another_one_goes(stock: Stock, monkeypatch):
    monkeypatch.setattr(push_sources, "_PAGE", 2)
    for number in (4, 0, 3, 1, 2):
        query = Query()
        properties = {names.LS_GUID: f"a{number}", "LS_media_guid": f"m{number}", "LS_project": "cars"}
        query.add("AddEntity", {"class": names.ANNOTATION, "properties": properties})
        stock.db.run(query)
    found = AnnotationSource(stock.db, "cars", model_version=None).media_guids()
    first = [next(found), next(found)]
    query = Query()
    query.add("DeleteEntity", {"with_class": names.ANNOTATION, "constraints": equal("LS_media_guid", first[0])})
    stock.db.run(query)
    assert sorted([*first, *found]) == ["m0", "m1", "m2", "m3", "m4"]
