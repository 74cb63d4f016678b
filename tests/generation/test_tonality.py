import numpy as np
import pytest
import torch

from generation.engine import Engine
from generation.judge import detectors
from generation.models.tonality import leant
from generation.request import Key, RiffRequest
from generation.spectrogram import SpectrogramCodec


def band_at(hertz: float) -> int:
    return int(np.abs(SpectrogramCodec().centres_hz - hertz).argmin())


def test_what_stands_out_nowhere_stays_as_it_is() -> None:
    strokes = torch.linspace(-1, 1, 24)[:, None].expand(24, 160)
    assert torch.allclose(leant(strokes, Key.parse("Am")), strokes, atol=1e-6)


@pytest.mark.parametrize(
    ("key", "louder"), [("A", True), ("Am", True), ("D", True), ("Eb", False), ("Bbm", False)]
)
def test_a_note_is_raised_where_the_key_likes_it(key: str, *, louder: bool) -> None:
    level = torch.full((4, 160), -0.5)
    level[:, band_at(440)] = 0.5
    change = leant(level, Key.parse(key)) - level
    assert (float(change[0, band_at(440)]) > 0) == louder
    untouched = [band for band in range(160) if band != band_at(440)]
    assert float(change[:, untouched].abs().max()) == 0


def test_what_is_played_is_in_the_key_that_was_asked_for() -> None:
    """Measured by the judge's detector, whose profiles are others."""
    engine = Engine.load()
    prompts = ("solo acoustic piano", "lofi hip hop with warm rhodes", "string quartet, classical")
    heard = {
        (prompt, key): detectors.chroma(
            engine.render(RiffRequest.parse(prompt=prompt, key=key, seed=4, bars=2)).takes[0].audio.mean(1)
        )
        for prompt in prompts
        for key in ("C", "F#")
    }

    def on_scale(asked: str, key: str) -> float:
        wanted = Key.parse(key).tonic * 2
        return float(np.mean([detectors.on_scale(heard[prompt, asked], wanted) for prompt in prompts]))

    assert on_scale("C", "C") > on_scale("C", "F#") + 0.25
    assert on_scale("F#", "F#") > on_scale("F#", "C") + 0.25
