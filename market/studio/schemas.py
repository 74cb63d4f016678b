"""A riff as it goes over the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from generation.request import (
    BARS,
    BPM,
    GUIDANCE_SCALE,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    METRES,
    STEPS,
    TAKES,
    RiffRequest,
)
from market.catalog.schemas import LoopOut
from market.studio.models import RiffOrder
from market.studio.service import QueuePlace


def _whole(bounds: tuple[int, int], says: str) -> Any:
    return Field(
        None,
        json_schema_extra={"type": "integer", "minimum": bounds[0], "maximum": bounds[1]},
        description=says,
    )


class RiffIn(BaseModel):
    """What to make; everything but the prompt has a default.

    The schema is for the reader: what is checked, and in which words it is refused, is RiffRequest.parse's.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: SkipValidation[str] = Field(
        min_length=1, max_length=MAX_PROMPT_LENGTH, examples=["church bells into electronic beats"]
    )
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
    key: SkipValidation[str | None] = Field(None, examples=["Am"], description="A key like Am, F#, Bb minor")
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
    def of(cls, order: RiffOrder, newest: Mapping[str, Any], place: QueuePlace) -> Self:
        """`newest` is the body of the riff's newest event."""
        return cls.model_validate(
            {
                "id": order.id,
                "status": order.status,
                "fraction": newest["fraction"],
                "position": place.position,
                "eta_seconds": place.eta_seconds,
                "error": order.error,
                "request": _today(order),
                "preview": preview_link(newest),
                "created_at": order.created_at,
                "loops": [LoopOut.of(loop) for loop in order.loops],
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


def request_of(wish: RiffIn, seed: int | None) -> RiffRequest:
    """The request that a body asks for, with `seed` where it names none. Raises InvalidRequest."""
    given = dict(wish)
    return RiffRequest.parse(**{**given, "seed": seed if given["seed"] in (None, "") else given["seed"]})


def _today(order: RiffOrder) -> dict[str, Any]:
    """What was asked for, with all that a request has today; an older version may have recorded less."""
    return RiffRequest.from_dict(order.request).to_dict()
