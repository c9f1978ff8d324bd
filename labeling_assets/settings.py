"""What the environment and `labeling_assets.yaml` say, and what the local stack filled in."""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from labeling_assets.errors import ConfigurationError
from labeling_assets.media_sources import MediaSources
from labeling_assets.media_urls import MediaLinks

SETTINGS_FILE: Final = "labeling_assets.yaml"
Network = IPv4Network | IPv6Network
MediaType = Literal["image", "video", "audio", "text", "html", "pdf", "csv", "json", "other"]
_SECRET_CHARACTERS: Final = 12


class LocalStack(BaseModel):
    """Addresses and secrets of what `labeling-assets up` started; `local_stack.json` in the home folder."""

    model_config = ConfigDict(extra="forbid")

    aperturedb_port: int = 0
    aperturedb_username: str = "admin"
    aperturedb_password: str = ""
    aperturedb_key: str = ""
    label_studio_url: str = ""
    label_studio_username: str = ""
    label_studio_password: str = ""
    label_studio_legacy_token: str = ""
    label_studio_api_key: str = ""
    gateway_url: str = ""
    dagster_url: str = ""


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where Label Studio's webhooks go: `base_url` is the gateway's address for Label Studio, without a slash."""

    base_url: str
    secret: str = field(repr=False)


class Settings(BaseSettings):
    """Every setting; the README lists them. Without any, everything is local and lies in `home`."""

    model_config = SettingsConfigDict(
        env_prefix="LABELING_ASSETS_", yaml_file=SETTINGS_FILE, extra="forbid", populate_by_name=True
    )

    home: Path = Field(Path("labeling_home"), description="Folder of everything local: inbox, projects, databases.")
    aperturedb_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("APERTUREDB_KEY", "aperturedb_key"),
        description="Key of your ApertureDB server. Unset: the local server.",
    )
    aperturedb_dialect: Literal["auto", "legacy", "expression"] = Field(
        "auto", description="Query dialect of the server; auto asks it once."
    )
    label_studio_url: str | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_URL", "label_studio_url"),
        description="Address of your Label Studio. Unset: the local one.",
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_API_KEY", "label_studio_api_key"),
        description="Personal access token or legacy token of Label Studio.",
    )
    gateway_url: str | None = Field(None, description="Where browsers reach the media gateway.")
    gateway_origins: tuple[str, ...] = Field(
        (), description="Origins that may load media (CORS), a JSON list. Empty: the origin of Label Studio."
    )
    gateway_token: SecretStr | None = Field(
        None,
        description="Bearer token of task lists and pushes, 12 characters or more. Unset: one made in the home folder.",
    )
    gateway_proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed, a JSON list.",
    )
    gateway_stop_seconds: float = Field(
        30, ge=0, le=3600, description="How long answers that are running may take when the gateway is told to stop."
    )
    push_limit_mb: float = Field(2000, gt=0, description="Largest body of one push, all its files together, in MB.")
    push_types: tuple[MediaType, ...] = Field(
        ("image", "video", "audio", "text", "html", "pdf", "csv", "json"),
        description="Types of media that are taken from pushes, a JSON list; `other` is what nobody knows.",
    )
    push_networks: tuple[str, ...] = Field(
        (),
        description="Networks such as 10.0.0.0/8 that pushed addresses may lead to, a JSON list. All that are not "
        "public are refused otherwise.",
    )
    link_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Key id -> secret of media links, a JSON object. Empty: a key made in the home folder.",
    )
    link_signing_key: str | None = Field(None, description="Id of the link key that signs; default: the last one.")
    link_lifetime_days: float | None = Field(
        None,
        gt=0,
        le=36500,
        description="How long new media links open at least, in days. Unset: for as long as their key exists.",
    )
    media_size_limit_mb: float = Field(
        200,
        gt=0,
        le=1900,
        description="Largest medium that is stored in ApertureDB, in MB. Larger ones are registered: they stay where "
        "they are, and the media gateway streams them from there.",
    )
    media_sources: tuple[str, ...] = Field(
        (),
        description="Where registered media may stay, besides the inbox: a JSON list of absolute folders and addresses "
        "such as https://media.example.org/videos/ or s3://bucket/videos/. The same for Dagster and the media gateway.",
    )
    gateway_cache: Path | None = Field(
        None,
        description="Folder in which the media gateway keeps what it read from ApertureDB; several gateways may share "
        "it. Unset: one in the home folder.",
    )
    gateway_cache_mb: float = Field(
        4000, ge=0, description="Largest size of that folder, in MB; what was not used for the longest time goes first."
    )
    gateway_accel: str | None = Field(
        None,
        pattern=r"^/[A-Za-z0-9._/-]*/$",
        description="Where nginx before the gateway serves the folder of that cache to itself alone, such as "
        "/cached_media/: it then sends large media, and the gateway only says which. Unset: the gateway sends all.",
    )
    webhooks: Literal["on", "off"] = Field(
        "off",
        description="Whether Label Studio tells the media gateway at once what changed; changes are found without, "
        "too. `up` switches it on for its own Label Studio.",
    )
    webhook_url: str | None = Field(
        None, description="Where Label Studio reaches the media gateway. Unset: where browsers do."
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="What webhooks must bring, at least 12 characters, the same for Dagster and the gateway. Unset: "
        "one made in the home folder.",
    )
    sensors: Literal["on", "off"] = Field("off", description="Whether Dagster's sensors start switched on.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)

    @property
    def inbox(self) -> Path:
        """Folder in which batches are dropped, one folder or CSV file each."""
        return self.home / "inbox"

    @property
    def projects(self) -> Path:
        """Folder of the labeling projects, one folder each."""
        return self.home / "projects"

    @property
    def registered_media(self) -> MediaSources:
        """Where the bytes of registered media may lie.

        Raises:
            ConfigurationError: an entry is neither a folder nor an address.
        """
        return MediaSources.of([self.inbox, *self.media_sources])

    @property
    def media_cache(self) -> Path:
        """Folder of the media gateway's disk cache."""
        return self.gateway_cache or self.home / "gateway_cache"

    @property
    def webhook_notes(self) -> Path:
        """Folder in which the gateway keeps what webhooks brought until ApertureDB has it."""
        return self.home / "webhook_notes"

    @property
    def local_stack(self) -> LocalStack:
        """What `up` wrote, or empty values."""
        path = self.home / "local_stack.json"
        return LocalStack.model_validate_json(path.read_text()) if path.exists() else LocalStack()

    def save_local_stack(self, stack: LocalStack) -> None:
        """Write `local_stack.json`, readable by its owner only."""
        write_private(self.home / "local_stack.json", stack.model_dump_json(indent=2))

    def database_key(self) -> str:
        """The key of the ApertureDB server to use.

        Raises:
            ConfigurationError: none is set and no local server was ever started in this home folder.
        """
        key = self.aperturedb_key.get_secret_value() if self.aperturedb_key else self.local_stack.aperturedb_key
        if not key:
            raise ConfigurationError(
                f"No ApertureDB: set APERTUREDB_KEY, or start the local server with `labeling-assets up` "
                f"(home folder: {self.home})."
            )
        return key

    def label_studio(self) -> tuple[str, str]:
        """Address and API key of the Label Studio to use.

        Raises:
            ConfigurationError: one of the two is missing.
        """
        stack = self.local_stack
        url = self.label_studio_url or stack.label_studio_url
        set_key = self.label_studio_api_key.get_secret_value() if self.label_studio_api_key else ""
        key = set_key or ("" if self.label_studio_url else stack.label_studio_api_key)
        if not url or not key:
            missing = "LABEL_STUDIO_URL" if not url else "LABEL_STUDIO_API_KEY"
            raise ConfigurationError(
                f"No Label Studio: set {missing} (both LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are needed), "
                f"or start the local one with `labeling-assets up` (home folder: {self.home})."
            )
        return url.rstrip("/"), key

    def links(self) -> MediaLinks:
        """Maker and verifier of media links; makes a key in the home folder if none is configured.

        Raises:
            ConfigurationError: nobody said where the gateway is.
        """
        base = self.gateway_url or self.local_stack.gateway_url
        if not base:
            raise ConfigurationError(
                "No media gateway: set LABELING_ASSETS_GATEWAY_URL to the address browsers reach it at, "
                "or start the local one with `labeling-assets up`."
            )
        keys = {name: secret.get_secret_value() for name, secret in self.link_keys.items()} or self._home_keys()
        lifetime_s = None if self.link_lifetime_days is None else self.link_lifetime_days * 86_400
        return MediaLinks(base, keys, self.link_signing_key or list(keys)[-1], lifetime_s=lifetime_s)

    def webhook(self) -> "WebhookTarget | None":
        """Where webhooks go and what they bring; None if they are off. Makes a secret if none is configured.

        Raises:
            ConfigurationError: nobody said where the gateway is, or the secret is too short.
        """
        if self.webhooks == "off":
            return None
        base = self.webhook_url or self.gateway_url or self.local_stack.gateway_url
        if not base:
            raise ConfigurationError(
                "Webhooks are on, but there is no media gateway: set LABELING_ASSETS_WEBHOOK_URL to the address Label "
                "Studio reaches it at, or LABELING_ASSETS_WEBHOOKS to off."
            )
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else self._home_secret("webhook_secret")
        if len(secret) < _SECRET_CHARACTERS or not (secret.isascii() and secret.isprintable()):
            raise ConfigurationError(
                f"LABELING_ASSETS_WEBHOOK_SECRET needs at least {_SECRET_CHARACTERS} characters, ASCII ones only: it "
                "goes into a header."
            )
        return WebhookTarget(base.rstrip("/"), secret)

    def api_token(self) -> str:
        """The bearer token of task lists and pushes; makes one in the home folder if none is configured.

        Raises:
            ConfigurationError: it is too short, or cannot go into a header.
        """
        token = self.gateway_token.get_secret_value() if self.gateway_token else self._home_secret("gateway_token")
        if len(token) < _SECRET_CHARACTERS or not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError(
                f"LABELING_ASSETS_GATEWAY_TOKEN needs at least {_SECRET_CHARACTERS} characters, ASCII ones without "
                "spaces: it goes into a header."
            )
        return token

    def trusted_proxies(self) -> list[str]:
        """The reverse proxies whose headers are believed.

        Raises:
            ConfigurationError: one of them is no address or network.
        """
        return [str(network) for network in _networks("LABELING_ASSETS_GATEWAY_PROXIES", self.gateway_proxies)]

    def allowed_networks(self) -> tuple[Network, ...]:
        """Networks that are not public and may be fetched from all the same.

        Raises:
            ConfigurationError: one of them is no address or network.
        """
        return _networks("LABELING_ASSETS_PUSH_NETWORKS", self.push_networks)

    def _home_secret(self, name: str) -> str:
        path = self.home / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32), exclusive=True)
        return path.read_text()

    def _home_keys(self) -> dict[str, str]:
        path = self.home / "link_keys.json"
        if not path.exists():
            write_private(path, json.dumps({"k1": secrets.token_urlsafe(32)}), exclusive=True)
        keys: dict[str, str] = json.loads(path.read_text())
        return keys


def _networks(variable: str, given: Iterable[str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text) for text in given)
    except ValueError as error:
        raise ConfigurationError(
            f"{variable}: {error}; write addresses and networks as 10.0.0.7 or 10.0.0.0/8."
        ) from error


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and the file.

    Raises:
        ConfigurationError: a value is not allowed, or a name is unknown; the message names it.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise ConfigurationError(f"Settings ({SETTINGS_FILE} and the environment) are wrong: {problems}.") from error


def write_private(path: Path, text: str, *, exclusive: bool = False) -> None:
    """Write a file that only its owner can read, whole or not at all; `exclusive` keeps an existing one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    try:
        if exclusive:
            os.link(temporary, path)
        else:
            os.replace(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
