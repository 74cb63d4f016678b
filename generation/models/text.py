"""The text encoder, all-MiniLM-L6-v2, in torch: what the transformer reads."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from transformers import BertModel, BertTokenizerFast
from transformers.utils import logging

from generation.minilm import model_folder
from generation.prompt import Prompt

MAX_TOKENS = 24
# A weight of 1.3 in a prompt, as people know it from other generators, is heard as about this power of it.
_EMPHASIS_POWER = 4


@dataclass(frozen=True)
class EncodedText:
    """Texts as the transformer reads them.

    `states` (B, L, 384) of the tokens, `weight` (B, L) of each in attention (1 as it is, 0 unheard), `pooled`
    (B, 384) of unit length.
    """

    states: Tensor
    weight: Tensor
    pooled: Tensor

    def __getitem__(self, row: int) -> Self:
        """One text, (1, ...)."""
        rows = slice(row, row + 1)
        return type(self)(self.states[rows], self.weight[rows], self.pooled[rows])

    def blend(self, other: Self, share: float) -> Self:
        """Both texts at once, `share` (0 to 1) of the attention going to the other one."""
        pooled = torch.lerp(self.pooled, other.pooled, share)
        return type(self)(
            torch.cat([self.states, other.states], 1),
            torch.cat([self.weight * (1 - share), other.weight * share], 1),
            torch.nn.functional.normalize(pooled, dim=-1),
        )

    def padded(self, length: int) -> Self:
        """The same with unheard tokens behind it, `length` in all."""
        missing = length - self.states.shape[1]
        states = torch.nn.functional.pad(self.states, (0, 0, 0, missing))
        return type(self)(states, torch.nn.functional.pad(self.weight, (0, missing)), self.pooled)


class TextEncoder:
    """all-MiniLM-L6-v2 in memory. Call it with texts; longer ones are cut at 24 word pieces."""

    def __init__(self) -> None:
        folder = model_folder()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._tokenizer = BertTokenizerFast.from_pretrained(folder, local_files_only=True)
        self._model = BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False).eval()

    def __call__(self, texts: list[str]) -> EncodedText:
        """Texts as they are."""
        return self.encode([Prompt(text) for text in texts])

    @torch.inference_mode()
    def encode(self, prompts: list[Prompt]) -> EncodedText:
        """Prompts with their emphasis: a weight is that of a word's tokens in attention and in the mean."""
        batch = self._tokenizer(
            [prompt.text for prompt in prompts],
            padding="max_length",
            truncation=True,
            max_length=MAX_TOKENS,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets = batch.pop("offset_mapping")
        states = self._model(**batch).last_hidden_state
        weight = batch["attention_mask"].float()
        for row, prompt in enumerate(prompts):
            for start, end, factor in prompt.spans:
                within = (offsets[row, :, 0] < end) & (offsets[row, :, 1] > start)
                weight[row, within] *= factor**_EMPHASIS_POWER
        mean = (states * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
        return EncodedText(states, weight, torch.nn.functional.normalize(mean, dim=-1))
