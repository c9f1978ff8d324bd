"""Thumbnails with the labels drawn on them."""

import io

from PIL import Image

from labeling_assets.sync.pictures import labelled_pictures
from labeling_assets_tests.sync.world import Stock, World, box, outline


def test_the_pictures_that_changed_last_come_first(published: World):
    first, second, third = published.task_ids()
    for task in (first, second, third):
        published.annotate(task, box(), outline())
    published.collect()
    shown = labelled_pictures(published.db, published.project, batch="May", limit=2)
    assert [picture.task_id for picture in shown] == [third, second]
    assert shown[0].labels == ("car", "road")
    assert Image.open(io.BytesIO(shown[0].jpeg)).format == "JPEG"


def test_without_annotations_there_are_none(stock: Stock):
    stock.hand_in({"a.txt": "text"})
    assert labelled_pictures(stock.db, stock.project, batch="May") == []
