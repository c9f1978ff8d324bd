"""Objects of S3 through httpx, from a real server of the protocol that checks signatures."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.s3 import MOUNT, S3Transport, request_url
from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets_tests.s3_store import s3_store

CONTENT = b"0123456789" * 1000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the bucket `media`."""
    folder = tmp_path_factory.mktemp("s3") / "media"
    folder.mkdir()
    with s3_store(folder.parent):
        yield folder


def get(uri: str, **headers: str) -> httpx.Response:
    with httpx.Client(mounts={MOUNT: S3Transport()}) as client:
        return client.get(request_url(uri), headers=headers)


@pytest.mark.parametrize(
    "name", ["a.bin", "a b+c.bin", "ü.bin", "50%20.bin", "a?b#c.bin", "deep/er/a.bin", "a&b=c.bin"]
)
def test_an_object_is_read_whatever_its_key_is(bucket: Path, name: str) -> None:
    (bucket / name).parent.mkdir(parents=True, exist_ok=True)
    (bucket / name).write_bytes(CONTENT)
    answer = get(f"s3://media/{name}")
    assert (answer.status_code, answer.content == CONTENT) == (200, True)


def test_a_part_is_a_part(bucket: Path) -> None:
    (bucket / "a.bin").write_bytes(CONTENT)
    answer = get("s3://media/a.bin", Range="bytes=5-8")
    assert (answer.status_code, answer.content, answer.headers["content-range"]) == (206, b"5678", "bytes 5-8/10000")


@pytest.mark.parametrize(
    ("uri", "status", "reason"),
    [("s3://media/none", 404, "NoSuchKey"), ("s3://nobucket/a.bin", 404, "NoSuchBucket")],
)
def test_what_is_not_there_is_named_by_the_store(bucket: Path, uri: str, status: int, reason: str) -> None:
    answer = get(uri)
    assert (answer.status_code, answer.reason_phrase, answer.content) == (status, reason, b"")


def test_a_wrong_secret(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
    answer = get("s3://media/a.bin")
    assert (answer.status_code, answer.reason_phrase) == (403, "SignatureDoesNotMatch")


def test_no_credentials(bucket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError, match=r"s3://media/a\.bin cannot be asked for .*set AWS_ACCESS_KEY_ID"):
        get("s3://media/a.bin")


def test_nothing_shows_the_signed_address(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bucket / "a.bin").write_bytes(CONTENT)
    assert str(get("s3://media/a.bin").url) == "s3://media/a.bin"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(httpx.ConnectError) as caught:
        get("s3://media/a.bin")
    assert str(caught.value.request.url) == "s3://media/a.bin"
    assert "Signature" not in f"{caught.value!r}"


@pytest.mark.parametrize("uri", ["s3://media", "s3://media/", "s3:///a.bin", "s3://media/../a.bin", "s3://media/./a"])
def test_what_is_no_address_of_an_object(uri: str) -> None:
    with pytest.raises(InputError, match="s3://"):
        request_url(uri)


def test_other_addresses_are_left_alone() -> None:
    assert request_url("https://example.org/a b?c#d") == "https://example.org/a b?c#d"


def test_boto3_is_imported_when_it_is_needed() -> None:
    code = "import sys, labeling_assets.gateway.serve, labeling_assets.sync.ingest_media; print('boto3' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"
