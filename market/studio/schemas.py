"""A riff as it goes over the wire."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from generation.arrangement import (
    BAND_HZ,
    CURVES,
    LOOPS,
    MAX_FURTHER_PROMPTS,
    SIDES,
    SONG_SECONDS,
    SPREADS,
)
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED
from generation.presets import PRESETS
from generation.request import (
    BARS,
    BPM,
    GUIDANCE_SCALE,
    KEEPS,
    METRES,
    SAMPLE_RATE,
    STEPS,
    STRENGTH,
    TAKES,
    RiffRequest,
)
from market.catalog.schemas import LoopOut
from market.catalog.service import Shown
from market.studio.models import RiffOrder, Source
from market.studio.service import QueuePlace


def _whole(bounds: tuple[int, int], says: str) -> Any:
    return Field(
        None,
        json_schema_extra={"type": "integer", "minimum": bounds[0], "maximum": bounds[1]},
        description=says,
    )


def _number(bounds: tuple[float, float], says: str) -> Any:
    return Field(
        None,
        json_schema_extra={"type": "number", "minimum": bounds[0], "maximum": bounds[1]},
        description=says,
    )


def _choice(choices: Iterable[str], says: str) -> Any:
    return Field(
        None,
        json_schema_extra={"type": "string", "enum": [name for name in choices if name]},
        description=says,
    )


def _text(says: str) -> Any:
    return Field(None, json_schema_extra={"type": "string", "maxLength": MAX_PROMPT_LENGTH}, description=says)


class _ArrangementIn(BaseModel):
    """An arrangement as it is documented; like all of RiffIn, it is checked by RiffRequest.parse."""

    model_config = ConfigDict(extra="forbid")


class MorphIn(_ArrangementIn):
    """From the prompt to others: a series of loops on one grid, or one piece in which it changes over time."""

    kind: Literal["morph"]
    prompts: list[str] | None = Field(
        None, max_length=MAX_FURTHER_PROMPTS, description="Where it goes; none where only the seed changes"
    )
    loops: int | None = _whole(LOOPS, "How many loops, the first and the last included; 5 by default")
    over: str | None = _choice(SPREADS, "`loops`: as many takes; `time`: one piece of as many times the bars")
    curve: str | None = _choice(CURVES, "How the way is gone; linear by default")
    to_seed: int | None = _whole((0, MAX_SEED), "Whose noise the last one has; prompts may be left out then")


class RepaintIn(_ArrangementIn):
    """Some bars of the source, or a band of frequencies in them, made anew; all else stays to the sample."""

    kind: Literal["repaint"]
    bars: str | int | None = Field(None, description="Which ones, from 1: `2-3` or `4`; all by default")
    low_hz: float | None = _number(BAND_HZ, "Low end of the band; none by default")
    high_hz: float | None = _number(BAND_HZ, "High end of the band; none by default")


class ExtendIn(_ArrangementIn):
    """New bars that go on with the source, or lead to it; a loop as a whole."""

    kind: Literal["extend"]
    bars: int | None = _whole((1, BARS[1] - 1), "How many new bars; 2 by default")
    side: str | None = _choice(SIDES, "Where they are put; after by default")


class SongIn(_ArrangementIn):
    """Sections with fills, an intro and an end: half a minute to six."""

    kind: Literal["song"]
    seconds: float | None = _number(SONG_SECONDS, "About how long; 120 by default")
    form: str | None = Field(None, examples=["intro A A' B break A outro"], description="Chosen by default")


class LayersIn(_ArrangementIn):
    """Stems that fit each other, and their mix. Name two or more, or none for all four.

    The text is what each shall play; an empty one follows the prompt.
    """

    kind: Literal["layers"]
    drums: str | None = _text("The drums")
    bass: str | None = _text("The bass")
    harmony: str | None = _text("The chords")
    lead: str | None = _text("The melody")


ArrangementIn = Annotated[
    MorphIn | RepaintIn | ExtendIn | SongIn | LayersIn, Field(discriminator="kind", title="Arrangement")
]


class RiffIn(BaseModel):
    """What to make; everything but the prompt has a default, and the prompt where a loop of ours is the source.

    The schema is for the reader: what is checked, and in which words it is refused, is RiffRequest.parse's.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: SkipValidation[str | None] = Field(
        None,
        json_schema_extra={"type": "string", "minLength": 1, "maxLength": MAX_PROMPT_LENGTH},
        examples=["church bells into electronic beats"],
        description="What to hear: `(bells:1.3)` weighs more, `[bells]` less, `style:NAME:0.7` is a style",
    )
    preset: SkipValidation[str | None] = _choice(PRESETS, "Settings for what is not said; see /v1/presets")
    bars: SkipValidation[int | None] = _whole(BARS, "Length in bars; 4 by default")
    bpm: SkipValidation[float | None] = Field(
        None,
        json_schema_extra={"type": "number", "minimum": BPM[0], "maximum": BPM[1]},
        description="Quarter notes per minute; by default what the prompt or its genre says, or 120",
    )
    metre: SkipValidation[str | None] = Field(
        None,
        json_schema_extra={"type": "string", "enum": list(METRES)},
        description="Beats in a bar; by default what the prompt says (waltz, 6/8), or 4/4",
    )
    key: SkipValidation[str | None] = Field(
        None, examples=["Am"], description="A key like Am, F#, Bb minor; by default what the prompt says"
    )
    seed: SkipValidation[int | None] = _whole(
        (0, MAX_SEED), "The same seed gives the same loop; drawn by default"
    )
    takes: SkipValidation[int | None] = _whole(TAKES, "How many candidates; 1 by default")
    negative_prompt: SkipValidation[str | None] = Field(
        None, max_length=MAX_PROMPT_LENGTH, description="What it shall not sound like"
    )
    steps: SkipValidation[int | None] = _whole(STEPS, "Denoising steps")
    guidance_scale: SkipValidation[float | None] = Field(
        None,
        json_schema_extra={"type": "number", "minimum": GUIDANCE_SCALE[0], "maximum": GUIDANCE_SCALE[1]},
        description="How strictly the prompt is followed",
    )
    variation_seed: SkipValidation[int | None] = _whole((0, MAX_SEED), "Whose noise to turn towards")
    variation: SkipValidation[float | None] = Field(
        None,
        json_schema_extra={"type": "number", "minimum": 0, "maximum": 1},
        description="How far to turn the noise towards variation_seed's",
    )
    morph_to: SkipValidation[str | None] = _text("Another prompt, on the way to which the prompt is")
    morph: SkipValidation[float | None] = _number((0, 1), "How far on the way to morph_to")
    source: SkipValidation[str | None] = Field(
        None,
        description="What to start from: the id of a loop or of an upload, or the SHA-256 of its sound. Tempo, metre, "
        "key and length are the source's where they are not given",
    )
    strength: SkipValidation[float | None] = _number(
        STRENGTH, "How little is left of the source; by default 0.6 in a remix, 0.9 in an extension, else 1"
    )
    keep: SkipValidation[str | None] = _choice(KEEPS, "What of the source stays")
    arrangement: SkipValidation[ArrangementIn | None] = Field(
        None, description="More than one loop from one prompt"
    )


class UploadOut(BaseModel):
    """A sound that was brought. Its tempo, metre and first beat are what was heard, as surely as `confidence` says."""

    id: str
    sha256: str = Field(
        description="Of the sound as 24-bit stereo PCM at 44.1 kHz; a `source` as good as the id"
    )
    name: str
    seconds: float
    samples: int
    bpm: float
    metre: str
    downbeat_seconds: float = Field(description="Where the first bar begins")
    confidence: float = Field(description="0 to 1")
    created_at: datetime

    @classmethod
    def of(cls, source: Source) -> Self:
        return cls(
            id=source.id,
            sha256=source.sha256,
            name=source.name,
            seconds=source.seconds,
            samples=source.samples,
            bpm=source.bpm,
            metre=source.metre,
            downbeat_seconds=source.downbeat / SAMPLE_RATE,
            confidence=source.confidence,
            created_at=source.created_at,
        )


class PresetsOut(BaseModel):
    """The presets by name, with the fields of a request that each fills where they are not given."""

    presets: dict[str, dict[str, float | int | str]]


class StylesOut(BaseModel):
    """The styles that a prompt may ask for: `style:NAME`, or `style:NAME:0.7` for less of it."""

    styles: list[str]


class RiffLinks(BaseModel):
    """Where a riff can be asked for, followed and looked at, relative to this site."""

    self: str
    events: str
    page: str

    @classmethod
    def of(cls, riff_id: str) -> Self:
        return cls(
            self=f"/v1/riffs/{riff_id}", events=f"/v1/riffs/{riff_id}/events", page=f"/riffs/{riff_id}"
        )


class RiffPlaced(BaseModel):
    """An accepted riff. `position` 1 is next; `eta_seconds` is null while it is not known."""

    id: str
    status: str
    position: int
    eta_seconds: float | None
    request: dict[str, Any]
    links: RiffLinks

    @classmethod
    def of(cls, order: RiffOrder, place: QueuePlace) -> Self:
        return cls(
            id=order.id,
            status=order.status,
            position=place.position,
            eta_seconds=place.eta_seconds,
            request=_today(order),
            links=RiffLinks.of(order.id),
        )


class RiffOut(BaseModel):
    """A riff as it stands. `error` is the sentence that a failed one ended with."""

    id: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    fraction: float
    position: int
    eta_seconds: float | None
    error: str | None
    request: dict[str, Any]
    preview: str | None
    created_at: datetime
    loops: list[LoopOut]
    links: RiffLinks

    @classmethod
    def of(
        cls, order: RiffOrder, newest: Mapping[str, Any], place: QueuePlace, loops: Sequence[Shown]
    ) -> Self:
        """`newest` is the body of the riff's newest event, `loops` are its loops as somebody sees them.

        To whom one of them is closed, the request does not tell the seed that it could be made again by.
        """
        asked = _today(order)
        if not all(found.access.full for found in loops):
            asked |= {"seed": None, "variation_seed": None}
        return cls.model_validate(
            {
                "id": order.id,
                "status": order.status,
                "fraction": newest["fraction"],
                "position": place.position,
                "eta_seconds": place.eta_seconds,
                "error": order.error,
                "request": asked,
                "preview": preview_link(newest),
                "created_at": order.created_at,
                "loops": [LoopOut.shown(found) for found in loops if found.access.visible],
                "links": RiffLinks.of(order.id),
            }
        )


def preview_link(body: Mapping[str, Any]) -> str | None:
    """Where the preview that an event names can be seen."""
    key = body.get("preview")
    if key is None:
        return None
    _, riff_id, name = key.split("/")
    return f"/v1/riffs/{riff_id}/previews/{name}"


def _today(order: RiffOrder) -> dict[str, Any]:
    """What was asked for, with all that a request has today; an older version may have recorded less."""
    return RiffRequest.from_dict(order.request).to_dict()
