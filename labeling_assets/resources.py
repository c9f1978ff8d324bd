"""ApertureDB, Label Studio and the media links as Dagster resources: configuration in, a client out."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from labeling_assets.settings import Settings, WebhookTarget, load_settings

if TYPE_CHECKING:
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.media_urls import MediaLinks


class _FromHome(dg.ConfigurableResource[Any]):
    """What is not given is read from the settings when a client is asked for, so no secret is in the definitions."""

    home: str = Field(default="", description="Home folder of the local stack; empty: as the settings say.")

    def _settings(self, **given: object) -> Settings:
        """The settings, in which what is given here counts more than the environment."""
        return load_settings(**{name: value for name, value in {"home": self.home, **given}.items() if value})


class ApertureDBResource(_FromHome):
    """The ApertureDB server: source of the media, destination of the labels, or both."""

    key: str = Field(default="", description="APERTUREDB_KEY of the server; use dg.EnvVar. Empty: as the settings say.")
    dialect: str = Field(default="", description="auto, legacy or expression. Empty: as the settings say.")

    def connect(self) -> "ApertureDB":
        """A client, to be used in a `with` or closed."""
        from labeling_assets.clients.aperturedb import ApertureDB

        settings = self._settings(aperturedb_key=self.key, aperturedb_dialect=self.dialect)
        return ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)


class LabelStudioResource(_FromHome):
    """The Label Studio server."""

    url: str = Field(default="", description="Address of the server. Empty: as the settings say.")
    api_key: str = Field(
        default="",
        description="Personal access token or legacy token; use dg.EnvVar. Empty: as the settings say.",
    )

    def connect(self) -> "LabelStudio":
        """A client, to be used in a `with` or closed; constructing it sends nothing."""
        from labeling_assets.clients.label_studio import LabelStudio

        return LabelStudio(*self._settings(label_studio_url=self.url, label_studio_api_key=self.api_key).label_studio())


class MediaLinksResource(_FromHome):
    """Signs the links under which Label Studio's browser page loads media from the gateway."""

    base_url: str = Field(default="", description="Where browsers reach the gateway. Empty: as the settings say.")
    link_keys: dict[str, str] = Field(default_factory=dict, description="Key id -> secret. Empty: as the settings say.")

    def links(self) -> "MediaLinks":
        """The signer of links."""
        return self._settings(gateway_url=self.base_url, link_keys=self.link_keys).links()

    def webhook(self) -> WebhookTarget | None:
        """Where Label Studio's webhooks go, which is the gateway, too; None if they are off."""
        return self._settings(gateway_url=self.base_url).webhook()
