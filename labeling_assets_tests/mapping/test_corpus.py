"""Annotations that nobody here made, or that look like them: no exception, nothing lost, unknown kinds by name."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labeling_assets.mapping.documents import contents_of
from labeling_assets.mapping.explain import Totals, explain
from labeling_assets.mapping.explain_text import annotation_lines, annotation_object, totals_lines, totals_object
from labeling_assets.mapping.kinds import KINDS
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.relation import is_relation
from labeling_assets.stack.label_studio_install import VERSION, cache_directory

OWN = Path(__file__).parent.parent / "data" / "corpus"


def checked(document: object, config: LabelConfig | None = None) -> Totals:
    """Explain a document in every way, and check that each item is in a region or is a relation."""
    contents, totals = contents_of(document, config), Totals()
    assert contents.recognized, contents.problems
    for found in contents.found:
        one = explain(found, config, round_trip=True)
        totals.add(one)
        assert list(annotation_lines(one))
        assert json.dumps(annotation_object(one, round_trip=True), allow_nan=False)
        assert one.differences == ()
        items = found.result if isinstance(found.result, list) else []
        positions = [position for region in one.mapped.regions for position in region.positions]
        assert sorted(positions) == [index for index, item in enumerate(items) if not is_relation(item)]
        given = Counter(item.get("type") for item in items if isinstance(item, dict))
        unknown = {name: count for name, count in given.items() if isinstance(name, str) and name not in KINDS}
        unknown.pop("relation", None)
        named = Counter(part.type for it in one.mapped.regions for part in it.parts or (it,) if part.type)
        assert {name: named[name] for name in unknown} == unknown
    assert list(totals_lines(totals, contents, round_trip=True))
    assert json.dumps(totals_object(totals, contents, round_trip=True), allow_nan=False)
    return totals


@pytest.mark.parametrize("path", sorted(OWN.glob("*.json")), ids=lambda path: path.stem)
def test_files_as_others_write_them(path: Path):
    totals = checked(json.loads(path.read_text(encoding="utf-8")))
    assert totals.sources.total() >= 1
    assert totals.regions >= 1


def test_kinds_that_are_not_known_are_counted_by_name():
    totals = checked(json.loads((OWN / "every_odd_kind.json").read_text(encoding="utf-8")))
    assert totals.unknown_kinds == {"cube": 1, "ocrlabels": 1, "reactcode": 1}


def _label_studio() -> Path | None:
    """Label Studio's own package, if a test run has installed it."""
    pattern = f"{VERSION}-*/venv/lib/python*/site-packages/label_studio"
    return next((cache_directory() / "label_studio").glob(pattern), None)


def _documents(package: Path) -> Iterator[tuple[str, Any]]:
    """Every list of results in its templates, examples and test data: JSON files, and JSON inside other text."""
    decoder = json.JSONDecoder()
    for path in sorted(package.rglob("*")):
        if path.suffix not in (".json", ".xml", ".yml", ".yaml", ".tavern") or path.stat().st_size > 5e6:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        after = text.find('"result":')
        while after >= 0:
            start = after + len('"result":')
            try:
                result, _ = decoder.raw_decode(text[start : start + 200_000].lstrip())
            except ValueError:
                result = None
            if isinstance(result, list):
                yield str(path.relative_to(package)), {"result": result}
            after = text.find('"result":', start)


def test_what_comes_with_label_studio():
    package = _label_studio()
    if package is None:
        pytest.skip("Label Studio is not installed in the cache folder")
    kinds: Counter[str] = Counter()
    documents = list(_documents(package))
    for name, document in documents:
        totals = checked(document)
        assert not totals.unknown_kinds, name
        kinds.update(totals.kinds)
    assert len(documents) >= 50
    assert len(kinds) >= 8, kinds


CONFIGS = {
    "image": """<View><Image name="i" value="$image"/>
        <RectangleLabels name="r" toName="i"><Label value="a"/></RectangleLabels>
        <EllipseLabels name="e" toName="i"><Label value="a"/></EllipseLabels>
        <PolygonLabels name="p" toName="i"><Label value="a"/></PolygonLabels>
        <KeyPointLabels name="k" toName="i"><Label value="a"/></KeyPointLabels>
        <BrushLabels name="b" toName="i"><Label value="a"/></BrushLabels></View>""",
    "text": """<View><Text name="t" value="$text"/><Labels name="l" toName="t"><Label value="a"/></Labels>
        <Choices name="c" toName="t"><Choice value="x"/></Choices><Rating name="r" toName="t"/>
        <TextArea name="n" toName="t"/><Number name="m" toName="t"/><DateTime name="d" toName="t"/>
        <Taxonomy name="x" toName="t"><Choice value="a"><Choice value="b"/></Choice></Taxonomy></View>""",
    "video": """<View><Video name="v" value="$video"/><VideoRectangle name="r" toName="v"/>
        <Labels name="l" toName="v"><Label value="a"/></Labels>
        <TimelineLabels name="t" toName="v"><Label value="a"/></TimelineLabels></View>""",
    "audio": """<View><Audio name="a" value="$audio"/><Labels name="l" toName="a"><Label value="a"/></Labels></View>""",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_annotations_that_the_sdk_makes_up(name: str):
    """It knows the schema and not the editor: boxes beyond 100 %, empty lists, numbers out of every range."""
    from label_studio_sdk.label_interface import LabelInterface

    random.seed(1)
    interface = LabelInterface(CONFIGS[name])
    config = LabelConfig.parse(CONFIGS[name])
    made = 0
    for _ in range(5):
        annotation = interface.generate_sample_annotation()
        if annotation:
            made += 1
            checked(json.loads(json.dumps(annotation, default=str)), config)
    if not made:
        pytest.skip("the SDK made none")
