"""Who is there, with an account or without one: the owner of what they make and bring."""

from typing import Annotated

from fastapi import Depends, Request

from market.accounts.errors import ScopeMissing
from market.api import cookies
from market.api.actor import SAFE, Acting


def owner(request: Request, acting: Acting) -> str:
    """The owner id of whoever sent this request. Raises ScopeMissing for a token that may not order riffs."""
    if acting.scopes is not None and request.method not in SAFE and "riffs" not in acting.scopes:
        raise ScopeMissing("riffs")
    return acting.owner if acting.account is not None else cookies.visitor(request)


Visitor = Annotated[str, Depends(owner)]
