"""The file that a task shows: its link, its name, and how its bytes are fetched."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.s3 import MOUNT, S3Transport, is_s3
from labeling_assets.mapping.label_config import LabelConfig, ObjectTag
from labeling_assets.media_sources import NOWHERE, MediaSources
from labeling_assets.sync.batch_rows import Row, shown_url

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UPLOAD: Final = re.compile(r"/data/upload/")
_UPLOAD_MARK: Final = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file


def link_keys(config: LabelConfig) -> tuple[str, ...]:
    """The keys of a task's data that hold addresses of what it shows."""
    shown = (tag.variables[0] for tag in config.objects if tag.variables and _takes_link(tag))
    return tuple(dict.fromkeys(shown))


def _takes_link(tag: ObjectTag) -> bool:
    kind, *options = re.split(r"\W", tag.value_type)
    return "url" in options or (kind == "url" and tag.tag.lower() != "table")


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """Reads the links of tasks of the Label Studio at `url`; `key` of their data holds the link, if any does.

    Media in a bucket of `sources` are read from there, others through Label Studio.
    """

    url: str
    key: str | None
    sources: MediaSources = NOWHERE

    def link(self, data: Mapping[str, Any]) -> str | None:
        """The link as it stands in the data; None if there is none, or not one."""
        link = data.get(self.key) if self.key is not None else None
        return link if isinstance(link, str) and link.strip() else None

    def source(self, link: str) -> str:
        """The link as it is kept and shown: whole, and without what gives access."""
        return shown_url(self._absolute(link))

    def spellings(self, link: str) -> set[str]:
        """Every way in which ApertureDB may have noted this link."""
        return {link, shown_url(link), self._absolute(link), self.source(link)}

    def row(self, task_id: int, link: str, columns: Mapping[str, str]) -> Row:
        """A row whose bytes can be fetched; through Label Studio where only it has the credentials."""
        source = self.source(link)
        if re.match(r"https?://", self._absolute(link)) or (is_s3(link) and self.sources.allows(link)):
            return Row(task_id, source, url=self._absolute(link), columns=columns)
        if _SCHEME.match(link):
            coded = base64.urlsafe_b64encode(link.encode()).decode()
            return Row(task_id, source, url=f"{self.url}/tasks/{task_id}/resolve/?fileuri={coded}", columns=columns)
        return Row(task_id, source, problem=f"{link[:200]!r} is no link")

    def _absolute(self, link: str) -> str:
        if not link.startswith("/"):
            return link
        server = urlsplit(self.url)
        under = link if server.path and link.startswith(f"{server.path}/") else f"{server.path}{link}"
        return f"{server.scheme}://{server.netloc}{under}"


def file_name(link: str) -> str:
    """The name of the file that a link or path leads to, as it was called before it was uploaded; may be empty."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    local = parse_qs(parts.query).get("d", [""])[0] if parts.path.endswith("/data/local-files/") else ""
    path = local or (unquote(parts.path) if _SCHEME.match(link) or link.startswith("/") else link)
    name = PurePosixPath(path).name
    return _UPLOAD_MARK.sub("", name, count=1) if _UPLOAD.search(parts.path) else name


class ServerToken(httpx.Auth):
    """Shows the token to Label Studio, and to nobody else."""

    def __init__(self, ls: LabelStudio) -> None:
        self._ls, self._origin = ls, _origin(httpx.URL(ls.url))

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # never sent to
        """Add the header to a request for the server; httpx takes it off where it is redirected elsewhere."""
        if _origin(request.url) == self._origin:
            request.headers["Authorization"] = self._ls.authorization()
        yield request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def files_client(ls: LabelStudio) -> httpx.Client:
    """An HTTP client for the files of tasks, wherever they lie."""
    local = urlsplit(ls.url).hostname in ("127.0.0.1", "localhost")
    # A proxy of the environment is not for a server on this machine.
    direct = {f"all://{urlsplit(ls.url).hostname}": httpx.HTTPTransport()} if local else {}
    mounts = {**direct, MOUNT: S3Transport()}
    return httpx.Client(timeout=60, follow_redirects=True, auth=ServerToken(ls), mounts=mounts)
