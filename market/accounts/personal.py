"""What each noun knows about a person, so that it can be given out, removed and handed over as a whole.

A noun registers its part beside its service:

    personal.register("collections", exported=_exported, erase=_erase, hand_over=_hand_over)

and is named in market.people, for the process that deletes an account may have had no other use for it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts.models import Account

Exported = Callable[[AsyncSession, Account], Awaitable[object]]
Erase = Callable[[AsyncSession, Account], Awaitable[None]]
HandOver = Callable[[AsyncSession, str, Account], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Part:
    """`exported` gives what JSON can say about an account, `erase` removes what tells who it was.

    `hand_over` moves what a visitor (an owner "visitor:…") left to the account that the visitor signed in to.
    """

    exported: Exported | None
    erase: Erase | None
    hand_over: HandOver | None


parts: dict[str, Part] = {}


def every() -> Mapping[str, Part]:
    """The parts of every noun, whatever this process has loaded so far."""
    import_module("market.people")
    return parts


def register(
    name: str,
    *,
    exported: Exported | None = None,
    erase: Erase | None = None,
    hand_over: HandOver | None = None,
) -> None:
    """Make `name` a part of what is known about people."""
    parts[name] = Part(exported, erase, hand_over)
