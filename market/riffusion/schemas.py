"""What Riffusion's server takes and gives (riffusion/datatypes.py there), field by field with its defaults."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]


class PromptIn(BaseModel):
    """One end of the way from one prompt to another."""

    model_config = ConfigDict(strict=True)

    prompt: str
    seed: int
    negative_prompt: str | None = None
    denoising: Number = 0.75
    guidance: Number = 7.0


class InferenceIn(BaseModel):
    """One clip: `alpha` of the way from start to end, painted over a seed image where a mask allows it."""

    model_config = ConfigDict(strict=True)

    start: PromptIn
    end: PromptIn
    alpha: Number
    num_inference_steps: int = 50
    seed_image_id: str = "og_beat"
    mask_image_id: str | None = None


class InferenceOut(BaseModel):
    """The clip: a JPEG and an MP3 as data URIs, and its length in seconds."""

    image: str
    audio: str
    duration_s: float
