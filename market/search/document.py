"""What the search knows of a published loop."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Document:
    """One published loop as `search.put` takes it.

    `tiers` are the licences it is offered under, `price_cents` the lowest price of a paid one (None without any),
    `free` whether there is one for nothing. `key` is as a loop has it ("Am", "F#"), None where there is none.
    `energy` and `brightness` go from 0 to 1; `embedding` is a unit vector times 127 as 64 int8, None where nobody
    listened. `popularity` is any number that grows with plays and licences, `rating` the mean of `rating_count` votes.
    """

    loop_id: str
    title: str
    description: str
    prompt: str
    creator_id: str
    creator_handle: str
    kind: str
    bpm: float
    key: str | None
    bars: int
    metre: str
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    instruments: tuple[str, ...]
    tags: tuple[str, ...]
    tiers: tuple[str, ...]
    price_cents: int | None
    free: bool
    has_stems: bool
    energy: float
    brightness: float
    embedding: bytes | None
    published_at: datetime
    popularity: float = 0.0
    rating: float = 0.0
    rating_count: int = 0
