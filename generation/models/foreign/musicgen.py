"""MusicGen (Meta, 2023): a language model over EnCodec's tokens, 32 kHz, mono or stereo."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoProcessor, MusicgenForConditionalGeneration, MusicgenProcessor
from transformers.generation import StoppingCriteria, StoppingCriteriaList

from generation.models.foreign.family import Sound, Wish, from_model


@dataclass(frozen=True)
class MusicGen:
    """Plays from left to right, one token after the other: what is asked for are tokens, not steps."""

    model: MusicgenForConditionalGeneration
    processor: MusicgenProcessor
    name: str = "musicgen"
    title: str = "MusicGen"
    can: frozenset[str] = frozenset({"guidance", "key"})
    shortest: float = 1.0
    longest: float = 30.0

    def play(self, wish: Wish) -> Sound:
        codec = self.model.config.audio_encoder
        # Codebooks are played one after the other, a token apart: the last comes so much later.
        delay = self.model.config.decoder.num_codebooks
        tokens = math.ceil(wish.seconds * codec.frame_rate) + delay
        batch = self.processor(text=[wish.described], padding=True, return_tensors="pt")
        audio = self.model.generate(
            **batch,
            do_sample=True,
            guidance_scale=wish.request.guidance_scale,
            max_new_tokens=tokens,
            stopping_criteria=StoppingCriteriaList([_Steps(wish, tokens)]),
        )
        return from_model(audio, codec.sampling_rate)


class _Steps(StoppingCriteria):  # type: ignore[misc]
    """Counts tokens as they come, and never stops them (its streamer, MusicGen takes and leaves aside)."""

    def __init__(self, wish: Wish, tokens: int) -> None:
        self._wish, self._tokens, self._played = wish, tokens, 0

    def __call__(self, input_ids: Tensor, *_: object, **__: object) -> Tensor:
        self._played += 1
        self._wish.on_step(min(self._played, self._tokens), self._tokens)
        return torch.zeros(len(input_ids), dtype=torch.bool)


def load(folder: Path) -> MusicGen:
    model = MusicgenForConditionalGeneration.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, dtype=torch.float32
    ).eval()
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    return MusicGen(model, processor)
