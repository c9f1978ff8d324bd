import time
from email.utils import formatdate

import httpx
import pytest

from labeling_assets.diagnose.clocks import clock_findings


def answer(ahead_s: float | None) -> httpx.Response:
    headers = {} if ahead_s is None else {"Date": formatdate(time.time() + ahead_s, usegmt=True)}
    return httpx.Response(200, headers=headers)


@pytest.mark.parametrize(
    ("ahead_s", "text"), [(600, "s ahead of that of this machine"), (-600, "s behind that of this")]
)
def test_a_clock_that_is_wrong(ahead_s: float, text: str) -> None:
    (finding,) = clock_findings("x.clock", "Label Studio", answer(ahead_s))
    assert (finding.level, text in finding.text) == ("warning", True)
    assert 595 <= int(finding.text.split(" is ")[1].split()[0]) <= 605


def test_a_clock_that_is_right() -> None:
    assert [one.level for one in clock_findings("x.clock", "Label Studio", answer(2))] == ["ok"]


def test_who_does_not_tell_the_time_is_not_asked() -> None:
    assert list(clock_findings("x.clock", "it", answer(None))) == []
    assert list(clock_findings("x.clock", "it", httpx.Response(200, headers={"Date": "today"}))) == []
