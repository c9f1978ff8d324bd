"""Which links do not open although they are signed: media that were denied, keys that were retired.

Kept in ApertureDB, so that every gateway notices, whatever its settings say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.errors import ConfigurationError
from labeling_assets.media_urls import KEY, MediaLinks

_DENY: Final = "deny"
_RETIRE: Final = "retire"


@dataclass(frozen=True, slots=True)
class LinkRules:
    """GUIDs of denied media and ids of retired keys, each with the reason that was given, which may be empty."""

    denied: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)

    def retires(self, key_id: str) -> str | None:
        """The retired key that a key id falls under: itself, or that of which a project's own key is made."""
        return next((one for one in (key_id, key_id.partition(".")[0]) if one in self.retired), None)

    def refusal(self, guid: str, query: Mapping[str, str]) -> str | None:
        """Why a signed link does not open all the same, for the log; None if it opens."""
        key = self.retires(query.get(KEY, ""))
        if key is not None:
            return f"key {key!r} was retired"
        if guid in self.denied:
            return f"the medium was denied ({self.denied[guid] or 'no reason was given'})"
        return None


def load_link_rules(db: ApertureDB) -> LinkRules:
    """All of them, in one query. Meant for single media: 10,000 of them take a tenth of a second."""
    wanted = ["LS_rule", "LS_subject", "LS_reason"]
    rows = db.find("FindEntity", None, class_name=names.LINK_RULE, properties=wanted)
    found: dict[str, dict[str, str]] = {_DENY: {}, _RETIRE: {}}
    for row in rows:
        found.setdefault(str(row["LS_rule"]), {})[str(row["LS_subject"])] = str(row["LS_reason"] or "")
    return LinkRules(found[_DENY], found[_RETIRE])


def deny_medium(db: ApertureDB, guid: str, reason: str = "") -> None:
    """No link opens this medium any more."""
    _add(db, _DENY, guid, reason)


def allow_medium(db: ApertureDB, guid: str) -> bool:
    """Take that back; False if it was not denied."""
    return _remove(db, _DENY, guid)


def retire(db: ApertureDB, key_id: str, reason: str = "") -> None:
    """No link that this key, or a project's key made of it, has signed opens any more."""
    _add(db, _RETIRE, key_id, reason)


def take_back_retirement(db: ApertureDB, key_id: str) -> bool:
    """Links of this key open again; False if it was not retired."""
    return _remove(db, _RETIRE, key_id)


def refuse_retired_key(db: ApertureDB, links: MediaLinks) -> None:
    """Check that what signs new links was not retired.

    Raises:
        ConfigurationError: it was; the links would not open.
    """
    key = load_link_rules(db).retires(links.key_id)
    if key is not None:
        raise ConfigurationError(
            f"The link key {key!r} was retired, but signs new links, which would not open. Let another key sign "
            f"(LABELING_ASSETS_LINK_SIGNING_KEY), or take it back: labeling-assets links retire {key} --undo"
        )


def _add(db: ApertureDB, rule: str, subject: str, reason: str) -> None:
    key = f"{rule}|{subject}"
    properties = {
        names.KEY: key,
        "LS_rule": rule,
        "LS_subject": subject,
        "LS_reason": reason,
        "LS_since": {"_date": format_time(datetime.now(UTC))},
    }
    db.one("AddEntity", {"class": names.LINK_RULE, "properties": properties, "if_not_found": equal(names.KEY, key)})


def _remove(db: ApertureDB, rule: str, subject: str) -> bool:
    condition = equal(names.KEY, f"{rule}|{subject}")
    if not db.count("FindEntity", condition, class_name=names.LINK_RULE):
        return False
    db.one("DeleteEntity", {"with_class": names.LINK_RULE, "constraints": condition})
    return True
