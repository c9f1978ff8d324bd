"""What a link consists of."""

import html
from urllib.parse import parse_qsl, urlsplit


def query_of(link: str) -> dict[str, str]:
    """Its parameters, the key and the signature among them; also as it stands in HTML."""
    return dict(parse_qsl(urlsplit(html.unescape(link)).query, keep_blank_values=True))
