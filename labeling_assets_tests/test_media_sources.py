from pathlib import Path

import pytest

from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.media_sources import NOWHERE, MediaSources

WEB = MediaSources.of(["https://media.example.org/videos/", "http://nas:8080"])


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder that is allowed, with a film in it and one beside it."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "fil m.mp4").write_bytes(b"film")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    return tmp_path / "videos"


def test_a_file_in_an_allowed_folder(videos: Path) -> None:
    path = videos / "fil m.mp4"
    assert MediaSources.of([str(videos)]).path_of(path.as_uri()) == path


def test_a_file_elsewhere_says_what_to_allow(videos: Path) -> None:
    with pytest.raises(InputError, match=f"would stay in {videos.parent}, which is not allowed: add that"):
        MediaSources.of([videos]).path_of((videos.parent / "secret.mp4").as_uri())


@pytest.mark.parametrize(
    "trick", ["../secret.mp4", "%2e%2e/secret.mp4", "..%2fsecret.mp4", "link.mp4", "folder/secret.mp4"]
)
def test_no_way_out_of_the_folder(videos: Path, trick: str) -> None:
    (videos / "link.mp4").symlink_to(videos.parent / "secret.mp4")
    (videos / "folder").symlink_to(videos.parent)
    with pytest.raises(InputError, match="is not allowed"):
        MediaSources.of([videos]).path_of(f"file://{videos}/{trick}")


def test_a_folder_that_begins_alike_is_another(videos: Path) -> None:
    (videos.parent / "videos2").mkdir()
    (videos.parent / "videos2" / "film.mp4").write_bytes(b"film")
    with pytest.raises(InputError, match="is not allowed"):
        MediaSources.of([videos]).path_of((videos.parent / "videos2" / "film.mp4").as_uri())


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file://{}/none.mp4", "there is no file .*none.mp4"),
        ("file://{}", "is no file"),
        ("file://{}/%00.mp4", "there is no file"),
        ("file://elsewhere{}/fil%20m.mp4", "is no address of a file"),
        ("{}/fil m.mp4", "is no address of a file"),
    ],
)
def test_what_is_no_file(videos: Path, uri: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MediaSources.of([videos]).path_of(uri.format(videos))


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example.org/videos/a/b.mp4",
        "https://MEDIA.example.org:443/videos/a.mp4?version=2",
        "https://media.example.org/videos",
        "http://nas:8080/anything",
        "http://nas:8080",
    ],
)
def test_an_allowed_address(url: str) -> None:
    WEB.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.org/videos/a.mp4",
        "https://media.example.org:444/videos/a.mp4",
        "https://media.example.org/videos2/a.mp4",
        "https://media.example.org/a.mp4",
        "https://media.example.org.evil.example.org/videos/a.mp4",
        "http://nas/a.mp4",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_another_address_says_what_to_allow(url: str) -> None:
    with pytest.raises(InputError, match="which is not allowed: add that, or more of the address, to LABELING_ASSETS_"):
        WEB.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example.org/videos/../a.mp4",
        "https://media.example.org/videos/%2e%2e/a.mp4",
        "https://media.example.org/videos/..%2fa.mp4",
        "https://media.example.org/videos/..\\a.mp4",
        "https://media.example.org@evil.example.org/videos/a.mp4",
        "https://user:password@media.example.org/videos/a.mp4",
        "https://media.example.org:port/videos/a.mp4",
        "file:///etc/passwd",
        "ftp://media.example.org/videos/a.mp4",
        "//media.example.org/videos/a.mp4",
        "",
    ],
)
def test_what_cannot_be_an_address(url: str) -> None:
    with pytest.raises(InputError, match="cannot be an address of media"):
        WEB.check_url(url)


@pytest.mark.parametrize("entry", ["videos", "~/videos", "ftp://nas/videos", "https://user@nas/", "https://"])
def test_an_entry_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=f"LABELING_ASSETS_MEDIA_SOURCES holds '{entry}', which is neither"):
        MediaSources.of([entry])


def test_nowhere_is_nothing(videos: Path) -> None:
    with pytest.raises(InputError):
        NOWHERE.path_of((videos / "fil m.mp4").as_uri())
    with pytest.raises(InputError):
        NOWHERE.check_url("https://media.example.org/")
