"""What can be licensed: the tiers of tiers.toml and the texts in terms/."""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generation.errors import InvalidRequest
from generation.fields import quoted
from market.errors import NotFound

_TERMS = Path(__file__).with_name("terms")
_TERMS_NAME = re.compile("([a-z]{1,16})-([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Tier:
    """A kind of licence. `uses` are names of tiers.toml, `price_cents` is what a creator starts from."""

    name: str
    title: str
    summary: str
    terms: str
    price_cents: int
    attribution: bool
    needs_channels: bool
    exclusive: bool
    uses: tuple[str, ...]
    limits: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """A version of a tier's text, and the SHA-256 of its UTF-8 bytes, which a grant keeps."""

    tier: str
    version: str
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text for a page: kind "title", "heading", "paragraph" or "list", and its lines."""

    kind: str
    lines: tuple[str, ...]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("tiers.toml").read_text(encoding="utf-8"))


@cache
def every() -> dict[str, Tier]:
    """The tiers by name, from the least to the most that is allowed."""
    return {given["name"]: Tier(**{**given, "uses": tuple(given["uses"])}) for given in _data()["tiers"]}


def get(name: str) -> Tier:
    """One tier. Raises InvalidRequest."""
    if name not in every():
        offered = ", ".join(every())
        raise InvalidRequest("tier", f"There is no tier {quoted(name)}: choose one of {offered}.")
    return every()[name]


def currency() -> str:
    """What the tiers' prices are in."""
    return str(_data()["currency"])


def spoken(use: str) -> str:
    """What a use is, for a person; the name itself where it is not known any more."""
    return str(_data()["uses"].get(use, use))


def known_models() -> frozenset[str]:
    """The models of ours that were ever shipped: what they learnt from is in docs/origin.md."""
    return frozenset(_data()["known_models"])


@cache
def _texts() -> dict[tuple[str, str], Terms]:
    texts = {}
    for path in sorted(_TERMS.glob("*.md")):
        name = _TERMS_NAME.fullmatch(path.stem)
        if name is not None:
            data = path.read_bytes()
            texts[name[1], name[2]] = Terms(name[1], name[2], data.decode(), hashlib.sha256(data).hexdigest())
    return texts


def terms(tier: str, version: str) -> Terms:
    """The text of a tier in one version. Raises NotFound. What was asked for never becomes a path."""
    if (tier, version) not in _texts():
        raise NotFound("such text", f"of a licence: {quoted(f'{tier}-{version}')}")
    return _texts()[tier, version]


def versions(tier: str) -> list[str]:
    """The versions of a tier's text, oldest first."""
    return sorted((version for name, version in _texts() if name == tier), key=int)


def blocks(text: str) -> list[Block]:
    """A text cut up for a page. The texts use four things of Markdown: #, ##, lists with - and paragraphs."""
    found = []
    for part in re.split(r"\n{2,}", text.strip()):
        if part.startswith("# "):
            found.append(Block("title", (part[2:],)))
        elif part.startswith("## "):
            found.append(Block("heading", (part[3:],)))
        elif part.startswith("- "):
            items = re.split(r"^- ", part, flags=re.MULTILINE)[1:]
            found.append(Block("list", tuple(" ".join(item.split()) for item in items)))
        else:
            found.append(Block("paragraph", (" ".join(part.split()),)))
    return found
