"""The file that a task shows: its name, where its bytes are, and who is shown the token."""

import base64

import httpx
import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.adopt.task_files import ServerToken, TaskFiles, file_name, link_keys

FILES = TaskFiles("https://ls.example.org/tool", "image")


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://example.org/a/b%20c.png?v=1#top", "b c.png"),
        ("s3://bucket/deep/er/a.png", "a.png"),
        ("/data/upload/12/0a1b2c3d-a.png", "a.png"),
        ("https://ls.example.org/data/upload/12/0a1b2c3d-a-b.png", "a-b.png"),
        ("https://example.org/0a1b2c3d-a.png", "0a1b2c3d-a.png"),
        ("/data/local-files/?d=in%2Fa.png", "a.png"),
        ("in/100%25.png", "100%25.png"),
        ("https://example.org/", ""),
        ("http://[", ""),
    ],
)
def test_names(link: str, name: str):
    assert file_name(link) == name


def test_where_the_bytes_are():
    row = FILES.row(7, "https://u:p@example.org/a.png?x=1&token=t", {})
    assert (row.url, row.source) == ("https://u:p@example.org/a.png?x=1&token=t", "https://example.org/a.png?x=1")
    assert FILES.row(7, "/data/upload/1/a.png", {}).url == "https://ls.example.org/tool/data/upload/1/a.png"
    assert FILES.row(7, "/tool/data/upload/1/a.png", {}).url == "https://ls.example.org/tool/data/upload/1/a.png"
    stored = FILES.row(7, "s3://bucket/a b.png", {})
    start, _, coded = str(stored.url).partition("?fileuri=")
    assert (start, stored.source) == ("https://ls.example.org/tool/tasks/7/resolve/", "s3://bucket/a b.png")
    assert base64.urlsafe_b64decode(coded) == b"s3://bucket/a b.png"
    assert "no link" in FILES.row(7, "a.png", {}).problem


def test_objects_of_an_allowed_bucket_are_read_from_there():
    files = TaskFiles("https://ls.example.org", "image", MediaSources.of(["s3://bucket/in/"]))
    assert files.row(7, "s3://bucket/in/a b.png", {}).url == "s3://bucket/in/a b.png"
    assert str(files.row(7, "s3://bucket/a.png", {}).url).startswith("https://ls.example.org/tasks/7/resolve/")


def test_which_key_holds_the_link():
    config = """<View><Header value="$title"/><Text name="t" value="$words"/><Audio name="a" value="$sound"/>
      <HyperText name="h" value="$page" valueType="url"/>
      <Labels name="l" toName="t"><Label value="x"/></Labels></View>"""
    assert link_keys(LabelConfig.parse(config)) == ("sound", "page")
    assert FILES.link({"image": "x"}) == "x"
    assert [FILES.link({"image": value}) for value in (None, "", 7, ["x"])] == [None] * 4
    assert TaskFiles("https://ls.example.org", None).link({"image": "x"}) is None


def test_only_label_studio_is_shown_the_token():
    shown = []

    def answer(request: httpx.Request) -> httpx.Response:
        shown.append((str(request.url), request.headers.get("Authorization")))
        if request.url.path == "/moved":
            return httpx.Response(303, headers={"Location": "https://bucket.example.org/a"})
        return httpx.Response(200)

    token = "0123456789abcdef0123456789abcdef01234567"
    with LabelStudio("https://ls.example.org", token) as ls:
        http = httpx.Client(transport=httpx.MockTransport(answer), auth=ServerToken(ls), follow_redirects=True)
        for url in ("https://ls.example.org/a", "http://ls.example.org/a", "https://ls.example.org:444/a"):
            http.get(url)
        http.get("https://ls.example.org/moved")
    own, none = f"Token {token}", None
    assert [header for _, header in shown] == [own, none, none, own, none]
