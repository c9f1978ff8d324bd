"""Labels in ApertureDB that the configuration does not have, and what a person changed in a configuration."""

from dataclasses import replace

import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.query import Query
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.verify_labels import UnknownLabels, changed_configuration
from labeling_assets_tests.sync.desk import CHOICE, ON_PICTURE, ON_VIDEO, RECORD, Desk, annotation, region
from labeling_assets_tests.sync.world import Stock, WatchedDatabase

CONFIG = """<View><Image name="medium" value="$image"/>
<RectangleLabels name="label" toName="medium"><Label value="car"/><Label value="dog"/></RectangleLabels></View>"""


def offenders(here: Desk, config: str = CONFIG) -> dict[str, int]:
    unknown = UnknownLabels(LabelConfig.parse(config), RECORD)
    unknown.look_into(here.stock.db, "May")
    return {offender["label"]: offender["regions"] for offender in unknown.offenders()}


@pytest.mark.parametrize("dialect", ["legacy", "expression"])
def test_regions_of_every_class_are_counted_once(on_picture: Desk, aperturedb: LocalServer, dialect: str):
    """What is derived from them and what stands above a chosen path is not."""
    with WatchedDatabase(aperturedb.key, dialect=dialect) as on_picture.stock.db:
        on_picture.create(ON_PICTURE)
        assert offenders(on_picture) == {"animal/dog": 1, "road": 2}
        on_picture.bury()
        assert offenders(on_picture) == {}


def test_clips_and_tracks_are_counted(on_video: Desk):
    on_video.create(ON_VIDEO)
    assert offenders(on_video) == {"goal": 2}


def test_ten_annotations_are_named_with_links(on_picture: Desk):
    lorry = region("r1", "box", "lorry")
    for number in range(12):
        writer, context = on_picture.writer()
        writer.create(context, annotation(id=number), MappedAnnotation((lorry,)))
        on_picture.send()
    unknown = UnknownLabels(LabelConfig.parse(CONFIG), RECORD)
    unknown.look_at(lorry, task=7, annotation=11)
    unknown.look_into(on_picture.stock.db, "May")
    (offender,) = unknown.offenders()
    assert (offender["regions"], offender["annotation"]) == (12, 11)
    link = "http://ls.example.org/projects/1/data?task=7"
    assert offender["first annotations"].split(", ") == [f"{number} ({link})" for number in (11, *range(9))]


def test_a_label_of_a_control_that_takes_any_is_known(on_picture: Desk):
    on_picture.create(MappedAnnotation((replace(CHOICE, vocabulary={"any": ("animal/dog",)}),)))
    config = CONFIG.replace("</View>", '<Choices name="any" toName="medium" value="$options"/></View>')
    assert (offenders(on_picture), offenders(on_picture, config)) == ({"animal/dog": 1}, {})


class CountedDatabase(WatchedDatabase):
    queries = 0

    def run(self, query: Query) -> Reply:
        self.queries += 1
        return super().run(query)


@pytest.mark.parametrize("dialect", ["legacy", "expression"])
def test_labels_that_only_an_open_control_gave_cost_one_query(on_picture: Desk, aperturedb: LocalServer, dialect: str):
    """A hundred of them, and one that a control with labels of its own gave, too."""
    paths = tuple(f"animal/{number}" for number in range(100))
    choice = region("r1", "taxonomy", *paths, vocabulary={"any": paths})
    wrong = region("r2", "box", "animal/7")
    on_picture.create(MappedAnnotation((choice, wrong)))
    config = CONFIG.replace("</View>", '<Taxonomy name="any" toName="medium" value="$options"/></View>')
    with CountedDatabase(aperturedb.key, dialect=dialect) as on_picture.stock.db:
        assert offenders(on_picture, config) == {"animal/7": 1}
        assert on_picture.stock.db.queries <= 3


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (CONFIG.replace('"dog"', '"cat"'), "'cat' added to 'label', 'dog' removed from 'label'"),
        (CONFIG.replace('name="label"', 'name="box"'), "control 'box' added, control 'label' removed"),
        (CONFIG.replace('value="$image"', 'value="$image" zoom="true"'), "no labels, but something else"),
        ("<View/>", "cannot be read: The label configuration shows nothing."),
    ],
)
def test_what_changed_is_said(stock: Stock, now: str, text: str):
    config = LabelConfig.parse(CONFIG)
    stock.db.one("AddEntity", {"class": names.CONFIG, "properties": {"LS_hash": config.hash, "LS_xml": CONFIG}})
    record = replace(RECORD, config_hash=config.hash)
    assert changed_configuration(stock.db, record, CONFIG) is None
    change = changed_configuration(stock.db, record, now)
    assert change is not None
    assert text in change["problem"]
    assert change["url"] == "http://ls.example.org/projects/1/settings/labeling"
