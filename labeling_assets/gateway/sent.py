"""What was sent in answer to a request: counted once, however many want to know it."""

from dataclasses import dataclass
from typing import Final

from starlette.types import Message, Scope, Send

_KEY: Final = "labeling_assets.sent"


@dataclass(slots=True)
class Sent:
    """Status and bytes of the body; 500 as long as there is no answer."""

    status: int = 500
    size_bytes: int = 0


def counted(scope: Scope, send: Send) -> tuple[Sent, Send]:
    """The count of a request, and what has to send its messages."""
    known = scope.get(_KEY)
    if known is not None:
        return known, send
    sent = scope[_KEY] = Sent()

    async def counting_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent.status = message["status"]
        else:
            sent.size_bytes += len(message.get("body", b""))
        await send(message)

    return sent, counting_send
