"""Where the bytes of registered media may lie: folders and addresses that a person allowed, and nothing else.

Checked twice: when a medium is registered, and whenever the gateway is about to read it, because whoever can write to
ApertureDB could put any address there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from labeling_assets.errors import ConfigurationError, InputError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "s3": 443}


@dataclass(frozen=True, slots=True)
class _Address:
    """What decides: `path` is decoded and has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ValueError for what is no plain address of http(s), or of a bucket in S3."""
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        path = unquote(parts.path)
        if port is None or not parts.hostname:
            raise ValueError("it is no http, https or s3 address")
        if parts.username is not None or parts.password is not None:
            raise ValueError("it holds a user or a password")
        # The server would leave the folder that was allowed.
        if "\\" in path or any(step in (".", "..") for step in path.split("/")):
            raise ValueError("it has '..', '.' or a backslash in its path")
        return cls(parts.scheme, parts.hostname, port, path.rstrip("/"))

    def holds(self, other: Self) -> bool:
        """Whether the other one lies below."""
        same = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same and (other.path == self.path or other.path.startswith(f"{self.path}/"))


@dataclass(frozen=True, slots=True)
class MediaSources:
    """Folders, and addresses that begin with the ones given."""

    folders: tuple[Path, ...] = ()
    addresses: tuple[_Address, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str | Path]) -> Self:
        """Absolute folders, `http(s)://host/folder/`, and `s3://bucket/prefix/`.

        Raises:
            ConfigurationError: one is neither.
        """
        folders, addresses = [], []
        for entry in entries:
            if isinstance(entry, Path) or entry.startswith("/"):
                folders.append(Path(entry).resolve())
                continue
            try:
                addresses.append(_Address.of(entry))
            except ValueError as error:
                raise ConfigurationError(
                    f"LABELING_ASSETS_MEDIA_SOURCES holds {entry!r}, which is neither an absolute folder nor an "
                    f"address ({error}): write /data/videos, https://media.example.org/videos/ or s3://bucket/videos/."
                ) from error
        return cls(tuple(folders), tuple(addresses))

    def path_of(self, uri: str) -> Path:
        """The file that a `file:` address names, with links followed.

        Raises:
            InputError: it does not lie in an allowed folder, or there is no such file.
        """
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise InputError(f"{uri!r} is no address of a file.")
        path = Path(unquote(parts.path))
        try:
            real = path.resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"there is no file {path}.") from error
        if not any(real.is_relative_to(folder) for folder in self.folders):
            raise InputError(_not_allowed(str(real.parent)))
        if not real.is_file():
            raise InputError(f"{path} is no file.")
        return real

    def allows(self, url: str) -> bool:
        """Whether the bytes of a medium may stay at this address of a server."""
        try:
            self.check_url(url)
        except InputError:
            return False
        return True

    def check_url(self, url: str) -> None:
        """Do nothing if the address is allowed.

        Raises:
            InputError: it is not.
        """
        try:
            address = _Address.of(url)
        except ValueError as error:
            raise InputError(f"{url!r} cannot be an address of media: {error}.") from error
        if not any(allowed.holds(address) for allowed in self.addresses):
            port = "" if address.port == _DEFAULT_PORTS[address.scheme] else f":{address.port}"
            raise InputError(_not_allowed(f"{address.scheme}://{address.host}{port}/"))


NOWHERE: Final = MediaSources()


def _not_allowed(where: str) -> str:
    return (
        f"its bytes would stay in {where}, which is not allowed: add that, or more of the address, to "
        "LABELING_ASSETS_MEDIA_SOURCES for Dagster and for the media gateway"
    )
