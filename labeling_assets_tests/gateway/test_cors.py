import logging

import pytest

from labeling_assets.errors import ConfigurationError
from labeling_assets.gateway.cors import checked_origins, normalised_origin, origins_for


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://labels.example.org", "https://labels.example.org"),
        ("https://labels.example.org/", "https://labels.example.org"),
        ("HTTPS://Labels.Example.org", "https://labels.example.org"),
        ("https://labels.example.org:443", "https://labels.example.org"),
        ("http://labels.example.org:80", "http://labels.example.org"),
        ("http://labels.example.org:443", "http://labels.example.org:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("*", "*"),
    ],
)
def test_normalised(text: str, origin: str) -> None:
    assert normalised_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("labels.example.org", id="no scheme"),
        pytest.param("ftp://labels.example.org", id="another scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://labels.example.org/projects", id="path"),
        pytest.param("https://labels.example.org:port", id="port that is no number"),
        pytest.param("http://[", id="broken address"),
        pytest.param("null", id="null"),
        pytest.param("", id="nothing"),
        pytest.param("https://*.example.org", id="pattern"),
    ],
)
def test_no_origin(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"origin|address"):
        normalised_origin(text)


def test_label_studio_is_the_origin_by_default() -> None:
    assert origins_for((), "https://labels.example.org/label-studio") == ("https://labels.example.org",)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080"])
def test_loopback_has_two_spellings(url: str) -> None:
    assert origins_for((), url) == ("http://127.0.0.1:8080", "http://localhost:8080")


def test_settings_come_before_label_studio() -> None:
    assert origins_for(["https://a.example.org"], "https://b.example.org") == ("https://a.example.org",)


def test_loopback_in_the_settings_has_two_spellings_too() -> None:
    origins = origins_for(["http://localhost:80", "https://a.example.org"], None)
    assert origins == ("http://127.0.0.1", "http://localhost", "https://a.example.org")


def test_nothing_known_allows_nobody() -> None:
    assert origins_for((), None) == ()


def test_everybody_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert checked_origins(["*"]) == {"*"}
    assert "Every website may load media" in caplog.text
