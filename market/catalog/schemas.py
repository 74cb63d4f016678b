"""A loop as it goes over the wire."""

from datetime import datetime
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, Field

from market.catalog.models import Loop

Kind = Literal["loop", "piece", "song"]


class LoopLinks(BaseModel):
    """Where a loop's page and files are, relative to this site."""

    page: str
    wav: str
    flac: str
    ogg: str
    opus: str
    mp3: str
    png: str
    light: str = Field(description="The picture as ink on paper")
    thumbnail: str = Field(
        description="A small picture, 480 x 150; the large one of a loop from before there were any"
    )
    video: str = Field(description="A film with a moving playhead, for posting")
    peaks: str
    recipe: str
    stems: dict[str, str] = Field(description="WAVs of its layers by role, where it was made of layers")


class LoopOut(BaseModel):
    """A finished loop. `sha256` is that of its samples; `recipe` is what renders the same bytes again."""

    id: str
    riff_id: str
    take: int
    kind: Kind = Field(description="A piece is a morph over time, a song has sections and an end")
    prompt: str
    bpm: float
    key: str | None
    bars: int = Field(description="Of the whole of it")
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
            kind=cast(Kind, loop.kind),
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
                flac=f"{files}/audio.flac",
                ogg=f"{files}/audio.ogg",
                opus=f"{files}/audio.opus",
                mp3=f"{files}/audio.mp3",
                png=f"{files}/spectrogram.png",
                light=f"{files}/spectrogram-light.png",
                thumbnail=f"{files}/thumbnail.webp"
                if "thumbnail" in loop.pictures
                else f"{files}/spectrogram.png",
                video=f"{files}/video.mp4",
                peaks=f"{files}/peaks.json",
                recipe=f"{files}/recipe.json",
                stems={role: f"{files}/stems/{role}.wav" for role in loop.stems},
            ),
        )


class LoopsOut(BaseModel):
    """A stretch of the list, newest first; `next_cursor` leads to the next one and is null at the end."""

    loops: list[LoopOut]
    next_cursor: str | None
