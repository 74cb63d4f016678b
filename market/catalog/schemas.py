"""A loop and its listing as they go over the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from market.catalog import service as catalog
from market.catalog.gate import Check
from market.catalog.models import Listing, Loop
from market.catalog.offers import DESCRIPTION_LENGTH, PRICE_CENTS, TITLE_LENGTH, paid_tiers
from market.catalog.service import OPEN, Access, Shown
from market.catalog.tags import MAX_TAG_LENGTH, MAX_TAGS
from market.catalog.vocabulary import Word

Kind = Literal["loop", "piece", "song"]
Status = Literal["draft", "published", "delisted", "removed"]


class LoopLinks(BaseModel):
    """Where a loop's page and files are, relative to this site."""

    page: str
    preview: str = Field(description="For everybody: of a loop that is for sale with an audible mark")
    listen: str = Field(description="What a player plays: the WAV, or the preview where a licence is needed")
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


class TagOut(BaseModel):
    """A word for a loop. Where it comes from: the recipe, what is heard, or the creator, whose word is the last."""

    kind: Literal["genre", "mood", "instrument", "texture", "tag"]
    value: str
    confidence: float = Field(description="0 to 1")
    origin: Literal["recipe", "audio", "creator"]


class CreatorOut(BaseModel):
    """Who made a loop."""

    id: str
    handle: str
    name: str


class ListingOut(BaseModel):
    """What a creator says of a loop and asks for it. `version` is in the ETag, for If-Match."""

    loop_id: str
    status: Status
    title: str
    description: str
    tags: list[TagOut]
    creator: CreatorOut
    licences: list[str] = Field(description="The licences that are offered, the free one first")
    prices: dict[str, int] = Field(description="In cents, by licence")
    free: bool
    currency: str
    energy: float | None = Field(description="0 to 1, as heard")
    brightness: float | None = Field(description="0 to 1, as heard")
    rights_confirmed_at: datetime | None = Field(
        description="When the creator stated to hold all rights to the sound that it starts from"
    )
    version: int
    published_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, held: Listing) -> Self:
        return cls.model_validate(
            {
                "loop_id": held.loop_id,
                "status": held.status,
                "title": held.title,
                "description": held.description,
                "tags": [
                    {"kind": tag.kind, "value": tag.value, "confidence": tag.confidence, "origin": tag.origin}
                    for tag in held.tags
                ],
                "creator": {"id": held.creator_id, "handle": held.creator.handle, "name": held.creator.name},
                "licences": catalog.tiers_of(held),
                "prices": held.prices,
                "free": held.free,
                "currency": held.currency,
                "energy": held.energy,
                "brightness": held.brightness,
                "rights_confirmed_at": held.rights_confirmed_at,
                "version": held.version,
                "published_at": held.published_at,
                "updated_at": held.updated_at,
            }
        )


class ListingIn(BaseModel):
    """What to say of a loop. The schema is for the reader: what is checked is `offers.parse`'s."""

    model_config = ConfigDict(extra="forbid")

    title: SkipValidation[str | None] = Field(
        None, json_schema_extra={"type": "string", "minLength": 1, "maxLength": TITLE_LENGTH}
    )
    description: SkipValidation[str | None] = Field(
        None, json_schema_extra={"type": "string", "maxLength": DESCRIPTION_LENGTH}
    )
    tags: SkipValidation[list[str] | None] = Field(
        None,
        json_schema_extra={
            "type": ["array", "null"],
            "maxItems": MAX_TAGS,
            "items": {"type": "string", "maxLength": MAX_TAG_LENGTH},
        },
        description="All of them, words of /v1/tags or any others; null for those that are found by themselves",
    )
    prices: SkipValidation[dict[str, int | None] | None] = Field(
        None,
        json_schema_extra={
            "type": "object",
            "properties": {
                tier: {"type": ["integer", "null"], "minimum": PRICE_CENTS[0], "maximum": PRICE_CENTS[1]}
                for tier in paid_tiers()
            },
            "additionalProperties": False,
        },
        description="In cents by licence; one without a price is not offered",
    )
    free: SkipValidation[bool | None] = Field(
        None, json_schema_extra={"type": "boolean"}, description="Whether the free licence is offered"
    )
    rights: SkipValidation[bool | None] = Field(
        None,
        json_schema_extra={"type": "boolean"},
        description="That you hold all rights to the sound that you brought and the loop starts from",
    )

    def parts(self) -> dict[str, object]:
        """What was given, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def whole(self) -> dict[str, object]:
        """Everything but the title, which a listing keeps; what was not given is as in a fresh one."""
        fresh: dict[str, object] = {
            "description": "",
            "tags": None,
            "prices": {},
            "free": False,
            "rights": False,
        }
        return fresh | self.parts()


class CheckOut(BaseModel):
    """One look at a loop before it is published. A warning does not keep it out."""

    name: str
    passed: bool
    warning: bool
    value: float | str | None
    limit: float | str | None
    sentence: str

    @classmethod
    def of(cls, check: Check) -> Self:
        return cls(
            name=check.name,
            passed=check.passed,
            warning=not check.passed and check.is_warning,
            value=check.value,
            limit=check.limit,
            sentence=check.sentence,
        )


class ChecksOut(BaseModel):
    """Every check of a loop, and whether it could be published as things stand."""

    passed: bool
    checks: list[CheckOut]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> Self:
        passed = not any(check.refuses for check in checks)
        return cls(passed=passed, checks=[CheckOut.of(check) for check in checks])


class PublishedOut(BaseModel):
    """A listing that is on the market, and the checks that were made."""

    listing: ListingOut
    checks: list[CheckOut]


class TagWord(BaseModel):
    """A thing that loops are tagged with, by its plain name, and what else it is called."""

    kind: Literal["genre", "mood", "instrument", "texture"]
    value: str
    aliases: list[str]

    @classmethod
    def of(cls, word: Word) -> Self:
        return cls.model_validate({"kind": word.kind, "value": word.value, "aliases": word.aliases})


class VocabularyOut(BaseModel):
    """The words that loops are tagged with; any other word is possible, too, as kind `tag`."""

    tags: list[TagWord]


class LoopOut(BaseModel):
    """A finished loop. `sha256` is that of its samples; `recipe` is what renders the same bytes again.

    Of a loop that is for sale, recipe and seed are told only to whom its files are open; to others, `recipe` holds the
    prompt and the model.
    """

    id: str
    riff_id: str
    take: int
    kind: Kind = Field(description="A piece is a morph over time, a song has sections and an end")
    prompt: str
    bpm: float
    key: str | None
    bars: int = Field(description="Of the whole of it")
    metre: str
    seed: int | None
    seconds: float
    samples: int = Field(description="Length in samples at 44.1 kHz")
    sha256: str
    model: str
    created_at: datetime
    recipe: dict[str, Any]
    full: bool = Field(description="Whether its files are open to you")
    listing: ListingOut | None = Field(description="Null for a draft that nobody has written about")
    links: LoopLinks

    @property
    def title(self) -> str:
        """What a list calls it: what it is sold as, or else what was asked for."""
        return self.prompt if self.listing is None or self.listing.status == "draft" else self.listing.title

    @classmethod
    def shown(cls, found: Shown) -> Self:
        """A loop as somebody sees it."""
        return cls.of(found.loop, found.listing, found.access)

    @classmethod
    def of(cls, loop: Loop, listing: Listing | None = None, access: Access = OPEN) -> Self:
        """A loop; without more said, as its maker sees it."""
        files = f"/v1/loops/{loop.id}"
        # A song has an end and nothing to be exact about, and as WAV a hundred megabytes.
        whole = f"{files}/audio.mp3" if loop.kind == "song" else f"{files}/audio.wav"
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
            seed=loop.seed if access.full else None,
            seconds=loop.seconds,
            samples=loop.samples,
            sha256=loop.sha256,
            model=loop.model,
            created_at=loop.created_at,
            recipe=loop.recipe if access.full else catalog.told_of(loop),
            full=access.full,
            listing=None if listing is None else ListingOut.of(listing),
            links=LoopLinks(
                page=f"/loops/{loop.id}",
                preview=f"{files}/preview",
                listen=whole if access.full else f"{files}/preview",
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
