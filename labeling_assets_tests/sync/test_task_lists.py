"""Task lists: what they hold, and that Label Studio takes them and the pipeline takes up what it made of them."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.sync.task_lists import FORMATS, Format, TaskList
from labeling_assets_tests.sync.list_imports import listed, upload, upload_and_publish
from labeling_assets_tests.sync.world import LINKS, Stock, World, box, picture, pictures, write_project

PRICED = """
<View>
  <Image name="image" value="$image"/><Text name="shop" value="$shop"/><Header value="$price"/>
  <Choices name="c" toName="image"><Choice value="ok"/></Choices>
</View>
"""
TEXT = '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="ok"/></Choices></View>'
TABLE = '<View><Table name="t" value="$rows"/><Choices name="c" toName="t"><Choice value="ok"/></Choices></View>'
MANIFEST = 'path,shop,price\na00.png,"Ann, ""Bee"" & Co; Zürich",2.5\na01.png,Dee,007\n'


def tasks_in(content: bytes) -> list[dict[str, Any]]:
    return [task["data"] for task in json.loads(content)]


def rows_in(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def links_in(content: bytes) -> list[str]:
    return content.decode().splitlines()


@pytest.fixture
def priced(make_world: Callable[..., World]) -> World:
    """Two pictures with text and a number in the manifest."""
    world = make_world(config=PRICED, yaml="columns: {price: number}")
    world.hand_in({**pictures(2), "manifest.csv": MANIFEST})
    return world


# What is in a list


def test_a_json_list_holds_the_data_that_publishing_sends(world: World) -> None:
    world.hand_in(pictures(3))
    before = tasks_in(listed(world))
    world.publish()
    assert before == [task["data"] for task in world.tasks()]


def test_every_form_lists_the_same_links(stock: Stock) -> None:
    stock.hand_in(pictures(3))
    links = links_in(listed(stock, "txt"))
    assert links == [task["image"] for task in tasks_in(listed(stock))]
    assert links == [row["image"] for row in rows_in(listed(stock, "csv"))]


def test_tasks_are_in_the_order_of_the_rows(stock: Stock) -> None:
    stock.hand_in({"c.png": picture(1), "a.png": picture(2), "b.png": picture(3)})
    by_guid = {row[names.GUID]: row["LS_source_uri"] for row in stock.media(names.GUID)}
    assert [by_guid[task["guid"]] for task in tasks_in(listed(stock))] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_list_is_the_same_to_the_byte(stock: Stock, form: Format) -> None:
    stock.hand_in(pictures(9))
    assert listed(stock, form) == listed(stock, form)


def test_columns_of_the_manifest_fill_variables(priced: World) -> None:
    first, second = rows_in(listed(priced, "csv"))
    assert (first["shop"], first["price"]) == ('Ann, "Bee" & Co; Zürich', "2.5")
    assert (second["shop"], second["price"]) == ("Dee", "7.0")


def test_media_that_have_a_task_are_not_listed_again(published: World) -> None:
    published.hand_in({"new.png": picture(50)})
    assert len(tasks_in(listed(published, batch="May"))) == 1


def test_everything_lists_them_too(published: World) -> None:
    published.hand_in({"new.png": picture(50)})
    assert len(tasks_in(listed(published, batch="May", everything=True))) == 4


def test_without_a_batch_all_batches_of_the_project_are_listed(stock: Stock) -> None:
    stock.project = write_project(stock.project.folder, yaml="batches: [May, June]")
    for number, batch in enumerate(("June", "May", "other")):
        stock.hand_in({"a.png": picture(number)}, batch=batch)
    assert [task["import_batch"] for task in tasks_in(listed(stock))] == ["June", "May"]


def test_a_medium_of_two_batches_is_listed_once(stock: Stock) -> None:
    for batch in ("June", "May"):
        stock.hand_in({"a.png": picture()}, batch=batch)
    assert [task["import_batch"] for task in tasks_in(listed(stock))] == ["June"]


def test_a_batch_that_came_before_the_project_is_listed(stock: Stock) -> None:
    stock.hand_in(pictures(2))
    stock.project = write_project(stock.project.folder.with_name("later"))
    assert len(tasks_in(listed(stock))) == 2


def test_only_media_of_the_types_of_the_project_are_listed(stock: Stock) -> None:
    stock.hand_in({"a.png": picture(), "note.txt": "a text"})
    assert len(links_in(listed(stock, "txt"))) == 1


def test_an_empty_list_is_one(stock: Stock) -> None:
    assert [listed(stock, form) for form in FORMATS] == [b"[\n]\n", b"guid,import_batch,image\n", b""]


def test_what_cannot_become_a_task_is_left_out_and_named(stock: Stock) -> None:
    stock.project = write_project(stock.project.folder, config=PRICED)
    stock.hand_in({**pictures(2), "manifest.csv": "path,shop,price\na00.png,Ann,1\na01.png,Bee,\n"})
    report = TaskList(stock.db, stock.project, LINKS).write(io.BytesIO(), "json")
    assert report.tasks == 1
    assert "has no 'price', which the variable $price" in report.left_out[0].text


# What a form cannot hold


@pytest.mark.parametrize("batch", ["202405", "1e5", "2024.10", "NA", "None", "true"])
def test_a_csv_has_no_column_that_label_studio_would_read_as_no_text(stock: Stock, batch: str) -> None:
    stock.hand_in(pictures(1), batch=batch)
    assert list(rows_in(listed(stock, "csv"))[0]) == ["image"]


def test_a_csv_of_texts_needs_guids_that_stay_texts(stock: Stock) -> None:
    stock.project = write_project(stock.project.folder, config=TEXT, yaml="media_types: [text]")
    stock.hand_in({"a.txt": "a text"}, batch="202405")
    with pytest.raises(InputError, match="would read the GUIDs or the name of the batch in a CSV as numbers"):
        listed(stock, "csv")


def test_a_csv_holds_no_lists(stock: Stock) -> None:
    stock.project = write_project(stock.project.folder, config=TABLE, yaml="media_types: [csv]")
    stock.hand_in({"a.csv": "x,y\n1,2\n"})
    with pytest.raises(InputError, match=r"cannot hold the lists that \$rows needs: use json"):
        listed(stock, "csv")


def test_a_list_of_links_holds_links_only(stock: Stock) -> None:
    stock.project = write_project(stock.project.folder, config=PRICED)
    with pytest.raises(InputError, match=r"needs \$image \(link\), \$shop \(column:shop\), \$price"):
        listed(stock, "txt")


def test_a_batch_that_does_not_exist_is_named(stock: Stock) -> None:
    with pytest.raises(InputError, match="There is no batch 'Mai' in ApertureDB"):
        listed(stock, batch="Mai")


def test_a_batch_of_others_is_refused(stock: Stock) -> None:
    stock.hand_in(pictures(1), batch="street-1")
    stock.project = write_project(stock.project.folder, yaml='batches: ["forest-*"]')
    with pytest.raises(InputError, match=r"'street-1' is none of 'cars': its project.yaml takes forest-\*"):
        listed(stock, batch="street-1")


# What Label Studio makes of it


@pytest.mark.parametrize("form", FORMATS)
def test_imported_tasks_are_adopted_and_not_made_again(world: World, form: Format) -> None:
    guids = world.hand_in(pictures(3)).guids
    report = upload_and_publish(world, form)
    assert (report.created, report.adopted, report.warnings) == (0, 3, [])
    assert sorted(task["data"]["guid"] for task in world.tasks()) == guids
    assert {task["data"]["import_batch"] for task in world.tasks()} == {"May"}


@pytest.mark.parametrize("form", FORMATS)
def test_annotations_of_imported_tasks_are_collected(world: World, form: Format) -> None:
    world.hand_in(pictures(2))
    upload_and_publish(world, form)
    world.annotate(world.task_ids()[0], box())
    assert world.collect().created == 1


def test_tasks_of_a_json_list_are_found_by_the_sync_alone(published: World) -> None:
    """Somebody imported it, labelled, and nobody has published the batch since."""
    published.hand_in({"new.png": picture(50)})
    upload(published, listed(published))
    published.annotate(published.task_ids()[-1], box())
    assert published.collect().created == 1
    assert len(published.stored(names.TASK, equal("LS_state", "done"))) == 1


def test_a_csv_without_our_columns_is_adopted_by_its_links(world: World) -> None:
    guids = world.hand_in(pictures(3), batch="202405").guids
    answer = upload(world, listed(world, "csv"), "csv")
    assert answer.status_code == 201
    report = world.publish("202405")
    assert (report.created, report.adopted) == (0, 3)
    assert [(t["data"]["guid"] in guids, t["data"]["import_batch"]) for t in world.tasks()] == [(True, "202405")] * 3


def test_label_studio_reads_texts_with_commas_quotes_and_umlauts(priced: World) -> None:
    upload(priced, listed(priced, "csv"), "csv")
    (shop,) = {row["data"]["shop"] for row in priced.ls.iterate_by_id(priced.record.project_id)} - {"Dee"}
    assert shop == 'Ann, "Bee" & Co; Zürich'


def test_what_a_csv_imports_is_what_publishing_sends_but_for_the_kind_of_numbers(priced: World) -> None:
    upload(priced, listed(priced, "csv"), "csv")
    imported = [task["data"] for task in priced.ls.iterate_by_id(priced.record.project_id)]
    assert imported == tasks_in(listed(priced))


def test_a_batch_of_which_a_part_was_imported_is_completed(world: World) -> None:
    world.hand_in(pictures(3))
    first = links_in(listed(world, "txt"))[0]
    upload(world, first.encode(), "txt")
    report = world.publish()
    assert (report.created, report.adopted, len(world.tasks())) == (2, 1, 3)


def test_publishing_that_was_killed_before_it_noted_adopts_in_the_end(world: World) -> None:
    world.hand_in(pictures(2))
    upload_and_publish(world, "txt")
    query = Query()
    query.add("DeleteEntity", {"with_class": names.TASK, "constraints": equal("LS_project", "cars")})
    query.add("UpdateImage", {"constraints": equal("LS_role", "media"), "properties": {"LS_state_cars": "new"}})
    world.db.run(query)
    assert (world.publish().adopted, len(world.tasks()), len(world.stored(names.TASK))) == (2, 2, 2)
