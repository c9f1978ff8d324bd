"""Smaller pictures, other formats and crops of regions, made by ApertureDB and opened by links that name them."""

import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.gateway.derivatives import Derivative
from labeling_assets.gateway.media import MediaCaches
from labeling_assets.identity import labels_guid, sha256_of
from labeling_assets_tests.gateway.running import LINKS, WatchedDatabase, add_object, gateway_client, link

WIDTH, HEIGHT = 400, 300
BOX = {"x": 100, "y": 150, "width": 200, "height": 100}
REGION, OTHERS, OUTLINE = "7c3e0000-0000-5000-8000-000000000001", "7c3e0000-0000-5000-8000-000000000002", "an-outline"


def picture() -> bytes:
    """Red, and blue inside of the box."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "red")
    image.paste("blue", (100, 150, 300, 250))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def street(watched: WatchedDatabase) -> Iterator[httpx.Client]:
    """A browser in front of a gateway with a picture and regions on it."""
    data = picture()
    properties = {"guid": "street", "LS_mime_type": "image/png", "LS_size_bytes": len(data), "LS_width": WIDTH}
    properties |= {"LS_height": HEIGHT, "LS_sha256": sha256_of(data), "LS_role": "media"}
    add_object(watched, data, properties, command="AddImage")
    for key, of in ((REGION, "street"), (OTHERS, "another"), (labels_guid("derived", OUTLINE), "street")):
        query = Query()
        query.add("FindImage", {"_ref": 1, "constraints": equal("guid", "street"), "blobs": False})
        held = {"LS_guid": key, "LS_media_guid": of}
        query.add("AddBoundingBox", {"image_ref": 1, "rectangle": BOX, "properties": held})
        watched.run(query)
    with gateway_client(watched, caches=MediaCaches(record_age_s=0)) as client:
        yield client
    watched.one("DeleteImage", {"constraints": equal("guid", "street")})


def get(client: httpx.Client, guid: str = "street", **parameters: object) -> httpx.Response:
    """What a link with these parameters gives."""
    path = LINKS.link(guid, **{name: str(value) for name, value in parameters.items()})
    return client.get(path.removeprefix("http://gateway.example.org"))


def shown(answer: httpx.Response) -> tuple[str, tuple[int, int], str | None]:
    """Type in the header, size, and format of the bytes."""
    image = Image.open(io.BytesIO(answer.content))
    return answer.headers["content-type"], image.size, image.format


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"width": 200}, (200, 150)),
        ({"height": 30}, (40, 30)),
        ({"width": 200, "height": 30}, (40, 30)),
        ({"width": 40, "height": 300}, (40, 30)),
        ({"width": 1}, (1, 1)),
        ({"width": 4096, "height": 4096}, (400, 300)),
    ],
)
def test_a_smaller_picture(street: httpx.Client, parameters: dict[str, int], size: tuple[int, int]) -> None:
    assert shown(get(street, **parameters)) == ("image/png", size, "PNG")


def test_another_format(street: httpx.Client) -> None:
    assert shown(get(street, format="jpg")) == ("image/jpeg", (400, 300), "JPEG")


@pytest.mark.parametrize("region", [REGION, OUTLINE])
def test_the_crop_of_a_region(street: httpx.Client, region: str) -> None:
    """Of an outline it is that of the box around it."""
    answer = get(street, region=region)
    image = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert (image.size, image.getcolors()) == ((200, 100), [(20000, (0, 0, 255))])


def test_a_small_crop_in_another_format(street: httpx.Client) -> None:
    assert shown(get(street, region=REGION, width=50, format="jpg")) == ("image/jpeg", (50, 25), "JPEG")


def test_a_region_that_was_moved(street: httpx.Client, watched: WatchedDatabase) -> None:
    get(street, region=REGION)
    moved = {"rectangle": {"x": 0, "y": 0, "width": 50, "height": 20}, "constraints": equal("LS_guid", REGION)}
    watched.one("UpdateBoundingBox", moved)
    assert shown(get(street, region=REGION))[1] == (50, 20)


@pytest.mark.parametrize(
    ("guid", "parameters"),
    [
        pytest.param("street", {"region": OTHERS}, id="region of another medium"),
        pytest.param("street", {"region": "gone"}, id="region that is not there"),
        pytest.param("recording", {"width": 10}, id="no picture"),
        pytest.param("adopted", {"width": 10}, id="picture of unknown size"),
        pytest.param("missing", {"width": 10}, id="no such medium"),
    ],
)
def test_not_there(street: httpx.Client, guid: str, parameters: dict[str, object]) -> None:
    assert get(street, guid, **parameters).status_code == 404


@pytest.mark.parametrize("signed_for", [{}, {"width": "99"}])
def test_parameters_need_a_signature_of_their_own(street: httpx.Client, signed_for: dict[str, str]) -> None:
    signature = httpx.URL(LINKS.link("street", **signed_for)).params["s"]
    assert street.get(f"/media/street?k=k1&s={signature}&width=100").status_code == 403


def test_a_signature_with_parameters_does_not_open_the_medium(street: httpx.Client) -> None:
    signature = httpx.URL(LINKS.link("street", width="100")).params["s"]
    assert street.get(f"/media/street?k=k1&s={signature}").status_code == 403


def test_what_the_browser_has_is_not_sent_again(street: httpx.Client) -> None:
    tag = get(street, width=100).headers["etag"]
    path = LINKS.link("street", width="100").removeprefix("http://gateway.example.org")
    assert street.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_tags_are_those_of_the_bytes(street: httpx.Client) -> None:
    answer = get(street, width=100)
    assert answer.headers["etag"] == f'"{sha256_of(answer.content)}"' != street.get(link("street")).headers["etag"]


def test_head_and_ranges(street: httpx.Client) -> None:
    path = LINKS.link("street", width="100").removeprefix("http://gateway.example.org")
    whole = street.get(path)
    part = street.get(path, headers={"Range": "bytes=1-3"})
    assert (street.head(path).headers["content-length"], part.content) == (str(len(whole.content)), b"PNG")


def test_it_is_made_once(street: httpx.Client, watched: WatchedDatabase) -> None:
    for _ in range(3):
        get(street, region=REGION, width=50)
    assert watched.byte_reads == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"width": "0"}, "width='0' is no whole number from 1 to 4096"),
        ({"height": "4097"}, "height='4097' is no whole number"),
        ({"width": "-5"}, "is no whole number"),
        ({"width": "1e3"}, "is no whole number"),
        ({"width": ""}, "is no whole number"),
        ({"width": "\u0661"}, "is no whole number"),
        ({"format": "gif"}, "The format 'gif' is not known: use jpg or png"),
        ({"region": "a b"}, "'a b' cannot be the LS_guid of a region"),
        ({"angle": "90"}, "The parameter 'angle' is not known: use width, height, format, region"),
    ],
)
def test_what_cannot_be_asked_for(query: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", ".")):
        Derivative.asked_for(query)


def test_a_wrong_parameter_that_somebody_signed(street: httpx.Client) -> None:
    answer = get(street, width=5000)
    assert (answer.status_code, "is no whole number from 1 to 4096" in answer.json()["error"]) == (400, True)


def test_parameters_of_the_link_itself_ask_for_nothing() -> None:
    assert Derivative.asked_for({"k": "k1", "s": "x", "e": "1"}) is None
