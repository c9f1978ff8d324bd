"""Media that ApertureDB already holds become a batch of a project whose query they match."""

from pathlib import Path
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import Project, claimed_by
from labeling_assets.settings import Settings
from labeling_assets.sync.claim_media import claim_media, claimable, next_claim
from labeling_assets.sync.import_batch import import_batch
from labeling_assets.sync.media_store import media_of_batch
from labeling_assets.sync.report import IngestReport
from labeling_assets_tests.sync.world import Stock, WatchedDatabase, picture, write_project

BATCH = "claim-shop-0001"
QUERY = 'query: [[shop, "==", Bern]]\n'


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A project for everything of the shop in Bern."""
    return write_project(tmp_path / "projects" / "shop", yaml=QUERY + "media_types: [image, text]")


def add(db: WatchedDatabase, data: bytes, *, command: str = "AddImage", **properties: Any) -> None:
    """A medium as somebody else put it into ApertureDB."""
    query = Query()
    query.add(command, {"properties": {"shop": "Bern", **properties}}, data)
    db.run(query)


def claim(stock: Stock, shop: Project, **options: Any) -> IngestReport:
    return claim_media(stock.db, shop, batch=BATCH, **options)


def test_media_that_match_are_claimed(stock: Stock, shop: Project):
    add(stock.db, picture(0))
    add(stock.db, picture(1), shop="Basel")
    assert claimable(stock.db, shop) == 1
    report = claim(stock, shop)
    assert (report.known, report.created, report.guids) == (1, 0, [content_guid(sha256_of(picture(0)))])
    assert [medium.guid for medium in media_of_batch(stock.db, BATCH)] == report.guids


def test_the_number_of_an_object_is_no_suffix(stock: Stock, shop: Project):
    """`Image 7.122.123` ends like a spreadsheet."""
    for number in range(130):
        add(stock.db, picture(number))
    assert claim(stock, shop).media_types == {"image": 130}


def test_a_claimed_medium_waits_for_its_task(stock: Stock, shop: Project):
    add(stock.db, picture(0))
    claim(stock, shop)
    (medium,) = stock.media("LS_state_shop", "LS_width", "LS_media_type", "LS_role")
    assert (medium["LS_state_shop"], medium["LS_role"]) == ("new", "media")
    assert (medium["LS_width"], medium["LS_media_type"]) == (40, "image")


def test_a_medium_keeps_the_guid_it_has(stock: Stock, shop: Project):
    add(stock.db, picture(0), guid="theirs-7")
    assert claim(stock, shop).guids == ["theirs-7"]


def test_nothing_is_claimed_twice(stock: Stock, shop: Project):
    add(stock.db, picture(0))
    first = claim(stock, shop)
    assert claimable(stock.db, shop) == 0
    again = claim(stock, shop)
    assert (again.known, again.guids) == (0, first.guids)


@pytest.mark.parametrize("guids", [(None, None), ("a", "b"), ("a", "a")], ids=["no GUIDs", "two GUIDs", "one GUID"])
def test_of_equal_bytes_the_first_is_claimed_and_the_other_is_a_duplicate(
    stock: Stock, shop: Project, guids: tuple[str | None, str | None]
):
    for guid in guids:
        add(stock.db, picture(0), **({"guid": guid} if guid else {}))
    report = claim(stock, shop)
    first = guids[0] or content_guid(sha256_of(picture(0)))
    assert (report.guids, len(report.duplicates)) == ([first], 1)
    marks = sorted(
        (row["LS_state_shop"], row["LS_duplicate_of"] or "") for row in stock.media("LS_state_shop", "LS_duplicate_of")
    )
    assert marks == [("new", ""), ("withdrawn", first)]


def test_of_equal_guids_with_other_bytes_the_first_is_claimed(stock: Stock, shop: Project):
    add(stock.db, picture(0), guid="same")
    add(stock.db, picture(1), guid="same")
    report = claim(stock, shop)
    assert (report.guids, report.duplicates[0].text) == (["same"], "same GUID or bytes as medium same; no task")


def test_bytes_that_came_through_the_inbox_are_not_claimed_as_another_medium(stock: Stock, shop: Project):
    """That medium is no medium of this project, but there must be one medium of a GUID."""
    guid = stock.hand_in({"a.png": picture(0)}).guids[0]
    add(stock.db, picture(0))
    report = claim(stock, shop)
    assert (report.guids, len(report.duplicates)) == ([], 1)
    assert stock.db.count("FindImage", equal(names.GUID, guid)) == 1


def test_the_duplicate_of_many_pages_ago_is_found(stock: Stock, shop: Project):
    for number in [*range(25), 0]:
        add(stock.db, picture(number))
    report = claim(stock, shop)
    assert (len(report.guids), len(report.duplicates)) == (25, 1)


def test_a_foreign_guid_that_cannot_be_one_is_refused_by_name_and_the_others_go_on(stock: Stock, shop: Project):
    add(stock.db, picture(0), guid="a b")
    add(stock.db, picture(1), guid="good")
    report = claim(stock, shop)
    assert report.guids == ["good"]
    assert "'a b' cannot be a GUID: use 1 to 200 letters" in report.failed[0].text
    assert claimable(stock.db, shop) == 0


def test_a_foreign_guid_that_is_a_number_stops_the_claim_before_anything_is_written(stock: Stock, shop: Project):
    add(stock.db, picture(0), guid=17)
    stock.db.writes.clear()
    with pytest.raises(DataError, match="_Image already has a property 'guid' of type number"):
        claim(stock, shop)
    assert stock.db.writes == []


def test_media_that_are_too_large_for_one_answer_together_are_claimed_one_by_one(tmp_path: Path):
    shop = write_project(tmp_path / "projects" / "shop", yaml=QUERY + "media_types: [text]")
    with (
        LocalServer(tmp_path / "small", limits=Limits(message_bytes=300_000)) as server,
        WatchedDatabase(server.key) as db,
    ):
        for number in range(4):
            add(db, f"{number}".encode() * 100_000, command="AddBlob")
        report = claim_media(db, shop, batch=BATCH)
    assert (report.known, report.failed) == (4, [])


def test_masks_and_payloads_are_never_claimed(stock: Stock, shop: Project):
    add(stock.db, b"mask", command="AddBlob", LS_role="mask")
    add(stock.db, b"payload", command="AddBlob", LS_role="payload")
    add(stock.db, b"a text", command="AddBlob")
    assert claimable(stock.db, shop) == 1
    assert claim(stock, shop).guids == [content_guid(sha256_of(b"a text"))]


def test_a_medium_of_a_type_the_project_does_not_want_gets_no_task(stock: Stock, shop: Project):
    add(stock.db, b"\x00\x01\x02", command="AddBlob")
    claim(stock, shop)
    assert stock.media("LS_state_shop", command="FindBlob")[0]["LS_state_shop"] == "withdrawn"


def test_a_claim_ends_at_its_limit_and_the_next_goes_on(stock: Stock, shop: Project):
    for number in range(45):
        add(stock.db, picture(number))
    add(stock.db, b"a text", command="AddBlob")
    assert claim(stock, shop, limit=40).rows == 40
    assert claimable(stock.db, shop) == 6


def test_the_project_may_insist_on_guids_that_are_there(stock: Stock, tmp_path: Path):
    shop = write_project(tmp_path / "projects" / "shop", yaml=QUERY + "guid: property")
    add(stock.db, picture(0))
    assert "it has no property 'guid'" in claim(stock, shop).failed[0].text


def test_a_project_without_a_query_claims_nothing(stock: Stock):
    add(stock.db, picture(0))
    assert claimable(stock.db, stock.project) == 0


def test_claims_are_numbered(stock: Stock, shop: Project):
    assert next_claim(stock.db, shop) == "claim-shop-0001"
    add(stock.db, picture(0))
    claim(stock, shop)
    assert next_claim(stock.db, shop) == "claim-shop-0002"


@pytest.mark.parametrize(
    ("batch", "slug"), [("claim-shop-0001", "shop"), ("claim-shop-1", None), ("May", None), ("x-claim-shop-0001", None)]
)
def test_the_name_of_a_claim_says_whose_it_is(batch: str, slug: str | None):
    assert claimed_by(batch) == slug


# One batch, wherever it comes from


def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_a_claim_is_imported_by_its_name(stock: Stock, shop: Project, tmp_path: Path):
    add(stock.db, picture(0))
    report, signature = import_batch(stock.db, BATCH, projects=[shop], settings=settings(tmp_path))
    assert (report.known, signature) == (1, "")


def test_a_batch_whose_folder_was_removed_is_what_aperturedb_has(stock: Stock, tmp_path: Path):
    guids = stock.hand_in({"a.png": picture(0)}).guids
    (tmp_path / "inbox" / "May" / "a.png").unlink()
    (tmp_path / "inbox" / "May").rmdir()
    report, _ = import_batch(stock.db, "May", projects=[stock.project], settings=settings(tmp_path))
    assert (report.guids, report.known, report.created) == (guids, 1, 0)


def test_a_batch_that_is_nowhere_is_named(stock: Stock, tmp_path: Path):
    with pytest.raises(InputError, match=r"There is no batch 'May': neither .*/inbox/May/ nor .*/inbox/May\.csv"):
        import_batch(stock.db, "May", projects=[stock.project], settings=settings(tmp_path))


def test_a_name_that_cannot_be_a_batch_is_refused(stock: Stock, tmp_path: Path):
    with pytest.raises(InputError, match=r"'a\.\.b' cannot be the name of a batch"):
        import_batch(stock.db, "a..b", projects=[], settings=settings(tmp_path))
