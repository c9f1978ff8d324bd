import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from labeling_assets.gateway.quick_requests import QuickRequest


def params(kind: type[Request], query: bytes) -> list[tuple[str, str]]:
    return kind({"type": "http", "query_string": query, "headers": []}).query_params.multi_items()


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"k=k1&s=abc-_",
        b"k=k1.cars&s=x",
        b"k=k1&s=a%20b",
        b"s=x&k=k1",
        b"k=k1&s=x&width=1",
        b"k=k1&s=x&s=y",
        b"k=&s=",
    ],
)
def test_a_query_is_read_as_starlette_reads_it(query: bytes) -> None:
    assert params(QuickRequest, query) == params(Request, query)


@given(st.text(alphabet="ks=&%+.-_;a1\u00fc \n", max_size=20))
def test_any_query_is_read_as_starlette_reads_it(text: str) -> None:
    query = text.encode("latin-1")
    assert params(QuickRequest, query) == params(Request, query)


def test_a_query_is_read_once() -> None:
    request = QuickRequest({"type": "http", "query_string": b"k=k1&s=x", "headers": []})
    assert request.query_params is request.query_params
