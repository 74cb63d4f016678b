"""A loop as it goes over the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from market.catalog.models import Loop


class LoopLinks(BaseModel):
    """Where a loop's page and files are, relative to this site."""

    page: str
    wav: str
    mp3: str
    png: str
    peaks: str


class LoopOut(BaseModel):
    """A finished loop. `sha256` is that of its samples; `recipe` is what renders the same bytes again."""

    id: str
    riff_id: str
    take: int
    prompt: str
    bpm: float
    key: str | None
    bars: int
    metre: str
    seed: int
    seconds: float
    samples: int = Field(description="Length in samples at 44.1 kHz")
    sha256: str
    model: str
    created_at: datetime
    recipe: dict[str, Any]
    links: LoopLinks

    @classmethod
    def of(cls, loop: Loop) -> Self:
        files = f"/v1/loops/{loop.id}"
        return cls(
            id=loop.id,
            riff_id=loop.riff_id,
            take=loop.take,
            prompt=loop.prompt,
            bpm=loop.bpm,
            key=loop.key,
            bars=loop.bars,
            metre=loop.metre,
            seed=loop.seed,
            seconds=loop.seconds,
            samples=loop.samples,
            sha256=loop.sha256,
            model=loop.model,
            created_at=loop.created_at,
            recipe=loop.recipe,
            links=LoopLinks(
                page=f"/loops/{loop.id}",
                wav=f"{files}/audio.wav",
                mp3=f"{files}/audio.mp3",
                png=f"{files}/spectrogram.png",
                peaks=f"{files}/peaks.json",
            ),
        )


class LoopsOut(BaseModel):
    """A stretch of the list, newest first; `next_cursor` leads to the next one and is null at the end."""

    loops: list[LoopOut]
    next_cursor: str | None
