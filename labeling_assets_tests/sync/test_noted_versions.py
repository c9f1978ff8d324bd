"""Which of the versions that webhooks brought are new: by content and time."""

from datetime import UTC, datetime, timedelta

import pytest

from labeling_assets.sync.noted_versions import Version, unseen

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


@pytest.mark.parametrize(
    ("noted", "known", "new"),
    [
        pytest.param([(1, "a"), (2, "b")], [(2, "b")], [(1, "a")], id="replaced before it was read"),
        pytest.param([(1, "a"), (2, "b"), (3, "a")], [(3, "a")], [(1, "a"), (2, "b")], id="there and back"),
        pytest.param([(2, "a")], [(1, "a")], [], id="saved without a change"),
        pytest.param([(1, "a")], [(2, "a")], [], id="read after it was saved again"),
        pytest.param([(1, "a"), (2, "a"), (3, "a")], [], [(1, "a")], id="never read, saved three times"),
        pytest.param([(2, "b")], [(1, "a"), (3, "a")], [(2, "b")], id="between two that were read"),
        pytest.param([(2, "b"), (1, "a")], [(3, "c")], [(1, "a"), (2, "b")], id="in another order"),
        pytest.param([(2, "b"), (2, "b")], [(3, "c")], [(2, "b")], id="doubled"),
        pytest.param([(2, "b")], [(2, "c")], [(2, "b")], id="in the same microsecond"),
    ],
)
def test_a_version_is_new_where_its_neighbours_differ(noted, known, new):
    versions = [Version("g", 9, at(minute), hash_, {}) for minute, hash_ in noted]
    found = unseen(versions, {"g": [(at(minute), hash_) for minute, hash_ in known]})
    assert [(version.updated_at, version.hash) for version in found] == [(at(m), hash_) for m, hash_ in new]


def test_annotations_do_not_mix():
    versions = [Version(guid, 9, at(1), "a", {}) for guid in "gh"]
    assert [version.guid for version in unseen(versions, {"g": [(at(1), "a")]})] == ["h"]
