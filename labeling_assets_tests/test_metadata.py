from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from labeling_assets import metadata
from labeling_assets.sync.build_dataset import DatasetReport
from labeling_assets.sync.pictures import LabelledPicture
from labeling_assets.sync.report import CollectReport, IngestReport, Note, PublishReport
from labeling_assets.sync.verify import Outcome

pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")

URL = "http://ls/projects/7"


def of_collect(report: CollectReport, *pictures: LabelledPicture) -> dict[str, Any]:
    return metadata.of_collect(report, pictures, current=3, project_url=URL, started=1795373200.5)


def records(value: Any) -> list[dict[str, Any]]:
    return [dict(record.data) for record in value.records]


def test_ingest_tells_how_many_media_the_batch_has_now() -> None:
    report = IngestReport("b1", created=1, known=2, guids=["a", "b", "c"])
    assert metadata.of_ingest(report, "")["dagster/partition_row_count"] == 3


def test_ingest_lists_failed_rows_with_the_reason() -> None:
    report = IngestReport("b1", failed=[Note("row 3 (a.jpg)", "no picture")])
    assert records(metadata.of_ingest(report, "")["failed rows"]) == [{"what": "row 3 (a.jpg)", "why": "no picture"}]


def test_a_report_without_trouble_has_no_tables() -> None:
    values = metadata.of_ingest(IngestReport("b1"), "") | metadata.of_publish(PublishReport("cars", "b1"))
    assert [name for name, value in values.items() if isinstance(value, dg.TableMetadataValue)] == []


def test_the_signature_of_the_folder_is_kept_for_the_sensor() -> None:
    assert metadata.of_ingest(IngestReport("b1"), "abc")["inbox_signature"] == "abc"


def test_publish_links_to_the_project() -> None:
    report = PublishReport("cars", "b1", project_url=URL)
    assert metadata.of_publish(report)["Label Studio project"] == dg.MetadataValue.url(URL)


def test_collect_tells_how_many_annotations_there_are_now() -> None:
    assert of_collect(CollectReport("cars", "b1"))["dagster/partition_row_count"] == 3


def test_collect_shows_its_start_as_a_time() -> None:
    """The sensor reads it, too: a sync that began before a change does not cover it."""
    value = of_collect(CollectReport("cars", "b1"))["started_at"]
    assert value == dg.TimestampMetadataValue(1795373200.5)


def test_collect_names_quarantined_tasks() -> None:
    report = CollectReport("cars", "b1", quarantined=[Note("4", "no medium has the GUID 'x'")])
    assert records(of_collect(report)["quarantined"]) == [{"what": "4", "why": "no medium has the GUID 'x'"}]


def test_collect_names_kinds_without_a_native_form() -> None:
    assert of_collect(CollectReport("cars", "b1", raw_kinds={"brush": 2}))["kept as raw JSON only"] == {"brush": 2}


def test_a_picture_is_markdown_that_links_to_its_task() -> None:
    values = of_collect(CollectReport("cars", "b1"), LabelledPicture("g", b"\xff\xd8", 4, ("car", "dog")))
    assert values["pictures"].value == f"[![car, dog](data:image/jpeg;base64,/9g=)]({URL}/data?task=4)"


def test_three_pictures_stand_in_a_row() -> None:
    pictures = [LabelledPicture("g", b"", number, ()) for number in range(4)]
    rows = of_collect(CollectReport("cars", "b1"), *pictures)["pictures"].value.split("\n\n")
    assert [row.count("![") for row in rows] == [3, 1]


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("a](javascript:alert(1))[b", r"a\](javascript:alert(1))\[b"),  # leaves the text of the link
        ("<b>", r"\<b\>"),  # HTML
        ("a\n\nb", "a b"),  # a new paragraph ends the link
        ("a\\", r"a\\"),  # escapes the bracket after it
    ],
)
def test_a_label_cannot_break_the_gallery(label: str, shown: str) -> None:
    values = of_collect(CollectReport("cars", "b1"), LabelledPicture("g", b"", 4, (label,)))
    assert values["pictures"].value.startswith(f"[![{shown}](data:image/jpeg;base64,")


def test_an_outcome_lists_offenders_and_links_to_the_first() -> None:
    outcome = Outcome(looked_at=9, offenders=[{"task": 4, "guid": "x", "url": f"{URL}/data?task=4"}])
    values = metadata.of_outcome(outcome)
    assert records(values["offenders"]) == [{"task": "4", "guid": "x", "url": f"{URL}/data?task=4"}]
    assert values["first offender"] == dg.MetadataValue.url(f"{URL}/data?task=4")


def test_an_outcome_tells_how_much_was_looked_at() -> None:
    values = metadata.of_outcome(Outcome(looked_at=9, facts={"media": 9}))
    assert values == {"looked at": 9, "wrong": 0, "media": 9}


def test_a_table_has_at_most_fifty_rows_and_tells_the_whole_number() -> None:
    values = metadata.of_outcome(Outcome(looked_at=60, offenders=[{"task": n} for n in range(60)]))
    assert (len(values["offenders"].records), values["wrong"]) == (50, 60)


def test_a_table_has_the_columns_that_any_row_has() -> None:
    values = metadata.of_outcome(Outcome(offenders=[{"task": 1}, {"guid": None, "problem": "p"}]))
    assert records(values["offenders"])[1] == {"task": "", "guid": "", "problem": "p"}


def test_a_summary_names_the_first_offender() -> None:
    offenders = [{"task": 4, "guid": "x", "url": URL, "problem": "no such medium"}, {"task": 5, "problem": "no"}]
    assert metadata.summary(Outcome(offenders=offenders)) == "task 4, guid x: no such medium (and 1 more)"


def test_a_summary_can_do_without_a_place() -> None:
    assert metadata.summary(Outcome(offenders=[{"problem": "2 and 3", "url": URL}])) == "2 and 3"


def test_what_passed_needs_no_summary() -> None:
    assert metadata.summary(Outcome(looked_at=3)) is None


def dataset(*labels: str) -> DatasetReport:
    columns = ["media_guid", "annotator", "kind", "label", "text", "rating", "x_px", "y_px", "width_px", "height_px"]
    rows = [["g", "a@b", "box", label, pd.NA, pd.NA, 1, 2, 3, 4] for label in labels]
    table = pd.DataFrame(rows, columns=columns)
    return DatasetReport(Path("cars/b1.parquet"), len(labels), 1, 1, {"car": len(labels)}, "d", 0.1, table)


def test_dataset_previews_ten_rows() -> None:
    preview = metadata.of_dataset(dataset(*["car"] * 12))["preview"].value
    assert len(preview.splitlines()) == 2 + 10


def test_a_preview_leaves_empty_what_is_empty() -> None:
    cells = [cell.strip() for cell in metadata.of_dataset(dataset("car"))["preview"].value.splitlines()[2].split("|")]
    assert cells == ["", "g", "a@b", "box", "car", "", "", "1", "2", "3", "4", ""]


def test_a_label_cannot_break_the_preview() -> None:
    last = metadata.of_dataset(dataset("a|b\nc"))["preview"].value.splitlines()[-1]
    assert r"a\|b c" in last


def test_a_label_stays_as_it_was_typed() -> None:
    """A number parser would show 7."""
    assert "| 007 |" in metadata.of_dataset(dataset("007"))["preview"].value


def test_a_long_text_is_cut_in_the_preview() -> None:
    assert f"| {'a' * 79}… |" in metadata.of_dataset(dataset("a" * 200))["preview"].value


def test_an_empty_dataset_has_no_preview() -> None:
    assert "preview" not in metadata.of_dataset(dataset())


def test_dataset_tells_where_the_file_is() -> None:
    assert metadata.of_dataset(dataset("car"))["dagster/uri"].endswith("/cars/b1.parquet")


def test_dataset_describes_its_columns() -> None:
    schema = metadata.of_dataset(dataset("car"))["dagster/column_schema"]
    assert [(column.name, column.type) for column in schema.columns][6] == ("x_px", "int64")
