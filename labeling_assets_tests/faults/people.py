"""Annotators: real users of a Label Studio, each with a token of its own."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.stack.label_studio import Account, personal_access_token


@dataclass(frozen=True)
class Person:
    """A user, and Label Studio as this user."""

    name: str
    ls: LabelStudio

    @property
    def email(self) -> str:
        return address_of(self.name)


def address_of(name: str) -> str:
    return f"{name.lower()}@example.org"


@contextmanager
def people(owner: LabelStudio, *names: str) -> Iterator[list[Person]]:
    """Sign up these people with the invitation of the owner's organization, as their browsers would."""
    with ExitStack() as stack:
        yield [Person(name, stack.enter_context(_signed_up(owner, name))) for name in names]


def _signed_up(owner: LabelStudio, name: str) -> LabelStudio:
    account = Account(address_of(name), secrets.token_urlsafe(18), "")
    invitation = owner._connection.get("/api/invite")["token"]
    with httpx.Client(base_url=owner.url, timeout=30, trust_env=False) as http:
        page = http.get("/user/signup/", params={"token": invitation}).raise_for_status()
        form = {"email": account.username, "password": account.password}
        headers = {"X-CSRFToken": page.cookies["csrftoken"]}
        answer = http.post("/user/signup/", params={"token": invitation}, data=form, headers=headers)
        assert answer.status_code == httpx.codes.FOUND, answer.text[:500]
    return LabelStudio(owner.url, personal_access_token(owner.url, account))
