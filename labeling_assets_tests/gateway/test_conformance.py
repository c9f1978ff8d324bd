"""The gateway is what its OpenAPI document says, by a tool that nobody here wrote; and ranges are those of RFC 9110."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from labeling_assets.gateway.api_pages import document
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.gateway.api import BEARER, Api, running_api
from labeling_assets_tests.gateway.running import SECRET, add_medium, link, sign
from labeling_assets_tests.sync.world import picture

WEBHOOK_SECRET = "a secret of webhooks"
HEADERS = {**BEARER, "X-Labeling-Assets-Secret": WEBHOOK_SECRET}
MANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SOUND = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Everything that the gateway can serve, with a batch, and media that tests name."""
    folder = tmp_path_factory.mktemp("conformance")
    with LocalServer(folder / "aperturedb") as database:
        inbox = WebhookInbox(WEBHOOK_SECRET, folder / "notes", lambda: api.db)
        with running_api(database.key, folder / "projects", inbox=inbox) as api:
            api.add_project()
            api.pushed({"a.png": picture()})
            add_medium(api.db, "sound", SOUND, mime_type="audio/wav")
            yield api


def schema(*modes: GenerationMode) -> OpenApiSchema:
    """The document, and what requests are made from it."""
    config = SchemathesisConfig()
    config.projects.default.generation.modes = list(modes)
    config.projects.default.generation.with_security_parameters = False  # the token comes as a header
    return schemathesis.openapi.from_dict({**document()}, config=config)


anything = schema(GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
what_is_there = schema(GenerationMode.POSITIVE).include(
    path=["/media/{guid}", "/projects/{slug}/tasks.{form}", "/batches/{batch}/media", "/batches/{batch}/close"]
)


def without_network(case: Case) -> Case:
    """Addresses that were invented are not looked up: this one is refused at once."""
    media = case.body.get("media") if isinstance(case.body, dict) else None
    for entry in media if isinstance(media, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            entry["url"] = "http://127.0.0.1:9/a.png"
    return case


def called(case: Case, server: Api) -> schemathesis.Response:
    # Whether a file or an address can be used, no schema can say.
    pushes = (case.operation.method, case.operation.path) == ("post", "/batches/{batch}/media")
    excluded = [positive_data_acceptance] if pushes else []
    base_url = server.url
    return without_network(case).call_and_validate(base_url=base_url, headers=HEADERS, excluded_checks=excluded)


@anything.parametrize()
@MANY
def test_every_operation_answers_as_the_document_says(case: Case, server: Api) -> None:
    """To requests that it describes, and to those that it does not."""
    called(case, server)


@what_is_there.parametrize()
@MANY
def test_what_is_there_is_answered_as_the_document_says(case: Case, server: Api) -> None:
    """A medium with a link, lists of a project, a batch."""
    if "slug" in case.path_parameters:
        case.path_parameters["slug"] = "cars"
        case.query.pop("batch", None)
    if "batch" in case.path_parameters and case.operation.path.endswith(("close", "media")):
        case.path_parameters["batch"] = "May"
    if "guid" in case.path_parameters:
        case.path_parameters["guid"] = "sound"
        for name in ("width", "height", "format", "region", "e"):  # are for pictures, and signed
            case.query.pop(name, None)
        case.query.update(k="k1", s=sign("sound", SECRET))
    # 400: a field behind the files, whose order no schema can say either.
    assert called(case, server).status_code in (200, 206, 304, 400, 416, 422)


# RFC 9110, section 14: the header of the request, status, Content-Range (None: there is none), and the bytes that come.
LAST = len(SOUND) - 1
RANGES = [
    pytest.param("bytes=0-499", 206, f"bytes 0-499/{LAST + 1}", SOUND[:500], id="the first 500 bytes"),
    pytest.param("bytes=500-999", 206, f"bytes 500-999/{LAST + 1}", SOUND[500:1000], id="the second 500 bytes"),
    pytest.param("bytes=-500", 206, f"bytes {LAST - 499}-{LAST}/{LAST + 1}", SOUND[-500:], id="the final 500 bytes"),
    pytest.param("bytes=9500-", 206, f"bytes 9500-{LAST}/{LAST + 1}", SOUND[9500:], id="all but the first 9500"),
    pytest.param("bytes=0-0", 206, f"bytes 0-0/{LAST + 1}", SOUND[:1], id="the first byte only"),
    pytest.param("bytes=-1", 206, f"bytes {LAST}-{LAST}/{LAST + 1}", SOUND[-1:], id="the last byte only"),
    pytest.param(f"bytes={LAST}-", 206, f"bytes {LAST}-{LAST}/{LAST + 1}", SOUND[-1:], id="from the last byte on"),
    pytest.param("bytes=0-99999", 206, f"bytes 0-{LAST}/{LAST + 1}", SOUND, id="an end beyond the end means the end"),
    pytest.param("bytes=-99999", 206, f"bytes 0-{LAST}/{LAST + 1}", SOUND, id="a suffix longer than all means all"),
    pytest.param("Bytes=0-9", 206, f"bytes 0-9/{LAST + 1}", SOUND[:10], id="units are compared without case"),
    pytest.param(f"bytes={LAST + 1}-", 416, f"bytes */{LAST + 1}", None, id="a start at the end"),
    pytest.param("bytes=99999-999999", 416, f"bytes */{LAST + 1}", None, id="a start beyond the end"),
    pytest.param("bytes=-0", 416, f"bytes */{LAST + 1}", None, id="a suffix of nothing"),
    pytest.param("bytes=500-499", 200, None, SOUND, id="an end before the start is no range, and ignored"),
    pytest.param("bytes=a-b", 200, None, SOUND, id="no numbers, ignored"),
    pytest.param("bytes=", 200, None, SOUND, id="no range, ignored"),
    pytest.param("bytes=-", 200, None, SOUND, id="neither start nor end, ignored"),
    pytest.param("bytes 0-9", 200, None, SOUND, id="no equals sign, ignored"),
    pytest.param("seconds=0-9", 200, None, SOUND, id="a unit that nobody knows, ignored"),
    pytest.param("bytes=0-9999999999999999999999", 206, f"bytes 0-{LAST}/{LAST + 1}", SOUND, id="a very large end"),
]


@pytest.mark.parametrize(("asked", "status", "content_range", "body"), RANGES)
def test_ranges(server: Api, asked: str, status: int, content_range: str | None, body: bytes | None) -> None:
    answer = server.client.get(link("sound"), headers={"Range": asked})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert answer.content == body or status == 416
    assert (answer.headers["accept-ranges"], len(answer.content)) == ("bytes", int(answer.headers["content-length"]))


def test_several_ranges_are_the_whole_or_parts_of_it(server: Api) -> None:
    """A server may ignore a Range it finds too much (14.2), and may send parts as multipart/byteranges (15.3.7)."""
    answer = server.client.get(link("sound"), headers={"Range": "bytes=0-1,500-501"})
    if answer.status_code == 200:
        assert answer.content == SOUND
    else:
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (206, "multipart/byteranges")


def test_head_ignores_ranges(server: Api) -> None:
    """14.2: Range is defined for GET only."""
    answer = server.client.head(link("sound"), headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(SOUND)))


@pytest.mark.parametrize("holds", [True, False])
def test_a_range_is_sent_only_if_the_medium_is_still_the_same(server: Api, holds: bool) -> None:
    """13.1.5: If-Range with the strong tag of the medium, or with another."""
    tag = server.client.head(link("sound")).headers["etag"]
    headers = {"Range": "bytes=0-9", "If-Range": tag if holds else '"another"'}
    assert server.client.get(link("sound"), headers=headers).status_code == (206 if holds else 200)


@pytest.mark.parametrize("weak", ["W/", ""])
def test_a_weak_tag_holds_for_no_range(server: Api, weak: str) -> None:
    tag = server.client.head(link("sound")).headers["etag"]
    answer = server.client.get(link("sound"), headers={"Range": "bytes=0-9", "If-Range": weak + tag})
    assert answer.status_code == (200 if weak else 206)


def test_if_none_match_comes_before_a_range(server: Api) -> None:
    """13.2.2: a condition that says "you have it" is answered with 304, whatever the range."""
    tag = server.client.head(link("sound")).headers["etag"]
    answer = server.client.get(link("sound"), headers={"Range": "bytes=0-9", "If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
