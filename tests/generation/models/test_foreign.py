"""Other people's models behind one request, on tiny random checkpoints of their real classes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.arrange import perform
from generation.audio.pcm import sha256
from generation.engine import Progress, load_engine
from generation.errors import Cancelled, NotPossible
from generation.models.foreign import ForeignEngine, riffusion
from generation.models.foreign.family import Wish
from generation.request import RiffRequest

Engines = Callable[..., ForeignEngine]

DIFFUSION = (
    "riffusion", "dance_diffusion", "stable_audio", "stable_audio_3", "ace_step", "audioldm_2", "musicldm", "audioldm",
)  # fmt: skip
FAMILIES = (*DIFFUSION, "musicgen")
NAMES = {
    "riffusion": "riffusion", "dance_diffusion": "dance-diffusion", "stable_audio": "stable-audio-open",
    "stable_audio_3": "stable-audio-3", "ace_step": "ace-step", "audioldm_2": "audioldm2", "musicldm": "musicldm",
    "audioldm": "audioldm", "musicgen": "musicgen",
}  # fmt: skip
TITLES = {
    "riffusion": "Riffusion", "dance_diffusion": "Dance Diffusion", "stable_audio": "Stable Audio Open",
    "stable_audio_3": "Stable Audio 3", "ace_step": "ACE-Step", "audioldm_2": "AudioLDM2", "musicldm": "MusicLDM",
    "audioldm": "AudioLDM", "musicgen": "MusicGen",
}  # fmt: skip

SHORTER = "take fewer bars or a faster tempo."


def request(name: str, **values: object) -> RiffRequest:
    steps = {} if name == "musicgen" else {"steps": 3}
    return RiffRequest.parse(
        **{"prompt": "church bells", "bars": 1, "bpm": 150, "seed": 3, **steps, **values}
    )


def tune(samples: int, seed: int = 1) -> NDArray[np.float32]:
    """A loop of a few notes and noise, as something to start from."""
    random = np.random.default_rng(seed)
    time = np.arange(samples) / samples
    notes = sum(np.sin(2 * np.pi * cycles * time) for cycles in random.integers(100, 900, 4))
    sides = [notes * 0.1 + random.normal(0, 0.02, samples) for _ in range(2)]
    return np.stack(sides, 1).astype(np.float32)


def digest(engine: ForeignEngine, asked: RiffRequest, source: NDArray[np.float32] | None = None) -> str:
    return str(engine.render(asked, source=source).takes[0].recipe["sha256"])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_loop_is_exactly_as_long_as_asked_and_the_same_twice(engine: Engines, name: str) -> None:
    asked = request(name, bars=2, bpm=173.3, metre="3/4")
    take = engine(name).render(asked).takes[0]
    assert take.audio.shape == (asked.samples, 2)
    assert take.audio.dtype == np.float32
    assert take.image.shape == (asked.sixteenths * 8, 160)
    assert 0.01 < np.abs(take.audio).max() <= 10 ** (-1 / 20) + 1e-6
    assert take.recipe["request"] == asked.to_dict()
    assert take.recipe["model"].startswith(f"{NAMES[name]}@")
    assert take.recipe["samples"] == asked.samples
    assert take.recipe["sha256"] == sha256(take.audio)
    assert take.recipe["seam"]["flux"] > 0
    assert 0.05 <= take.recipe["seam"]["overlap"] <= 0.5
    again = engine(name).render(asked).takes[0]
    assert (again.audio == take.audio).all()
    assert again.recipe == take.recipe


def all_parts(name: str, can: frozenset[str]) -> list[RiffRequest]:
    """A request, and others that differ from it in one thing each that the model can do."""
    changes: dict[str, dict[str, object]] = {
        "negative_prompt": {"negative_prompt": "drums"},
        "guidance": {"guidance_scale": 6.0},
        "steps": {"steps": 4},
        "key": {"key": "F#m"},
        "emphasis": {"prompt": "(church:1.5) bells"},
        "variation": {"variation_seed": 9, "variation": 0.3},
        "morph": {"morph_to": "rain", "morph": 0.5},
    }
    parts = [{}, {"seed": 4}, *(change for feature, change in changes.items() if feature in can)]
    if name != "dance_diffusion":
        parts += [{"prompt": "rain"}, {"bpm": 151}]
    return [request(name, **part) for part in parts]


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "riffusion"])
def test_each_part_of_a_request_that_a_model_can_do_is_heard(engine: Engines, name: str) -> None:
    model = engine(name)
    asked = all_parts(name, model.can)
    assert len({digest(model, one) for one in asked}) == len(asked)


def test_each_part_of_a_request_is_seen_in_riffusions_pictures(checkpoint: Callable[..., Path]) -> None:
    """In the pictures, because it takes a second to hear one."""
    model = riffusion.load(checkpoint("riffusion"))
    asked = all_parts("riffusion", model.can)
    pictures = [model.paint(Wish(one, 5.11, lambda step, steps: None)) for one in asked]
    assert {picture.size for picture in pictures} == {(512, 512)}
    assert len({picture.tobytes() for picture in pictures}) == len(asked) == 11


@pytest.mark.parametrize(
    ("name", "settings", "change", "sentence"),
    [
        ("dance_diffusion", {}, {"negative_prompt": "drums"}, "takes no negative prompt: leave it out."),
        ("dance_diffusion", {}, {"guidance_scale": 5}, "takes no guidance scale: leave it out."),
        ("dance_diffusion", {}, {"key": "Am"}, "cannot be asked for a key: leave it out."),
        ("dance_diffusion", {}, {"morph_to": "rain", "morph": 0.5}, "cannot be between two prompts."),
        ("stable_audio", {}, {"prompt": "(bells:1.5)"}, "does not weigh words: write the prompt without (…) and […]."),
        ("stable_audio_3", {}, {"guidance_scale": 5}, "takes no guidance scale: leave it out."),
        ("ace_step", {}, {"negative_prompt": "drums"}, "takes no negative prompt: leave it out."),
        ("ace_step", {"turbo": True}, {"guidance_scale": 5}, "takes no guidance scale: leave it out."),
        ("audioldm_2", {}, {"morph_to": "rain", "morph": 0.5}, "cannot be between two prompts."),
        ("musicgen", {}, {"steps": 20}, "plays without denoising steps: leave them out."),
        ("musicgen", {}, {"variation_seed": 9, "variation": 0.3}, "cannot vary a take: choose another seed."),
        ("riffusion", {}, {"bars": 16, "bpm": 60}, f"plays 20 s at most and this is 64.0 s: {SHORTER}"),
        ("stable_audio", {}, {"bars": 16, "bpm": 60}, f"plays 16 s at most and this is 64.0 s: {SHORTER}"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_do_is_refused_before_anything_runs(
    engine: Engines, name: str, settings: dict[str, bool], change: dict[str, object], sentence: str
) -> None:
    seen: list[Progress] = []
    with pytest.raises(NotPossible) as refusal:
        engine(name, **settings).render(request(name, **change), seen.append)
    assert str(refusal.value) == f"{TITLES[name]} {sentence}"
    assert seen == []


@pytest.mark.parametrize("name", ["audioldm_2", "musicldm", "audioldm", "musicgen"])
def test_a_model_that_hears_nothing_refuses_a_source(engine: Engines, name: str) -> None:
    asked = request(name)
    with pytest.raises(NotPossible, match="cannot start from a sound"):
        engine(name).render(asked, source=tune(asked.samples))


def test_styles_belong_to_our_own_models(engine: Engines) -> None:
    with pytest.raises(NotPossible, match="AudioLDM cannot play style:dusty"):
        engine("audioldm").render(request("audioldm", prompt="bells style:dusty"))


@pytest.mark.parametrize("name", FAMILIES)
def test_progress_grows_to_the_end(engine: Engines, name: str) -> None:
    seen: list[Progress] = []
    engine(name).render(request(name, takes=2), seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {progress.phase for progress in seen} == {"denoising", "decoding"}
    first = [progress.step for progress in seen if progress.take == 0 and progress.phase == "denoising"]
    assert first == list(range(len(first)))
    assert len(first) >= 4


@pytest.mark.parametrize("name", FAMILIES)
def test_cancelling_stops_at_the_next_step(engine: Engines, name: str) -> None:
    stop, seen = threading.Event(), []

    def on_progress(progress: Progress) -> None:
        seen.append(progress.step)
        if progress.step == 2:
            stop.set()

    asked = request(name) if name == "musicgen" else request(name, steps=50)
    with pytest.raises(Cancelled):
        engine(name).render(asked, on_progress, stop.is_set)
    assert max(seen) == 2


@pytest.mark.parametrize("name", ["stable_audio", "stable_audio_3", "ace_step"])
def test_a_cancelled_take_leaves_no_trace(engine: Engines, name: str) -> None:
    """Their solvers count steps and remember what was predicted."""
    before = digest(engine(name), request(name))
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        engine(name).render(request(name, steps=9), seen.append, lambda: len(seen) == 4)
    assert digest(engine(name), request(name)) == before


def test_each_take_can_be_made_alone(engine: Engines) -> None:
    asked = request("audioldm", takes=2)
    riff = engine("audioldm").render(asked)
    assert [take.recipe["request"]["seed"] for take in riff.takes] == [3, 4]
    assert digest(engine("audioldm"), asked.take(1)) == riff.takes[1].recipe["sha256"]


@pytest.mark.parametrize(
    "name", ["riffusion", "dance_diffusion", "stable_audio", "stable_audio_3", "ace_step"]
)
def test_a_remix_hangs_on_its_source_the_more_the_weaker_it_is(engine: Engines, name: str) -> None:
    asked = request(name)
    sources = [tune(asked.samples, seed) for seed in (1, 2)]

    def apart(strength: float) -> float:
        takes = [
            engine(name).render(replace(asked, strength=strength), source=source).takes[0]
            for source in sources
        ]
        assert [take.recipe["source"]["sha256"] for take in takes] == [sha256(source) for source in sources]
        first, second = (take.image.astype(np.float64) for take in takes)
        return float(np.abs(first - second).mean())

    assert apart(0.2) > apart(1.0)


@pytest.mark.parametrize("name", ["riffusion", "stable_audio_3", "ace_step"])
def test_repainted_bars_are_new_and_the_others_untouched(engine: Engines, name: str) -> None:
    plain = request(name, bars=4, bpm=240)
    source = tune(plain.samples)
    bar = plain.samples // 4

    def repainted(bars: str, seed: int = 3) -> NDArray[np.float32]:
        arrangement = {"kind": "repaint", "bars": bars}
        asked = request(name, bars=4, bpm=240, seed=seed, source=sha256(source), arrangement=arrangement)
        return perform(engine(name), asked, source).takes[0].audio

    for bars, start, end in (("1", 0, bar), ("3-4", 2 * bar, 4 * bar)):
        audio = repainted(bars)
        outside = np.r_[0:start, end : len(source)]
        assert (audio[outside] == source[outside]).all()
        assert np.abs(audio[start:end] - source[start:end]).mean() > 1e-3
    assert (repainted("3-4") == audio).all()
    assert (repainted("3-4", seed=5) != audio).any()


@pytest.mark.parametrize("name", ["dance_diffusion", "stable_audio"])
def test_a_model_that_cannot_repaint_says_so(engine: Engines, name: str) -> None:
    plain = request(name, bars=2)
    source = tune(plain.samples)
    asked = request(name, bars=2, source=sha256(source), arrangement={"kind": "repaint", "bars": "1"})
    with pytest.raises(NotPossible, match="cannot"):
        perform(engine(name), asked, source)


def test_the_end_of_a_morph_is_the_other_prompt(engine: Engines) -> None:
    for name in ("riffusion", "stable_audio", "stable_audio_3"):
        other = engine(name).render(request(name, prompt="rain")).takes[0]
        morphed = engine(name).render(request(name, morph_to="rain", morph=1)).takes[0]
        assert np.abs(morphed.audio - other.audio).max() < 1e-3


def test_the_base_of_stable_audio_3_is_guided(engine: Engines) -> None:
    base = engine("stable_audio_3", distilled=False)
    asked = request("stable_audio_3", guidance_scale=4)
    assert digest(base, asked) != digest(
        base, request("stable_audio_3", guidance_scale=4, negative_prompt="drums")
    )
    assert digest(base, asked) != digest(base, request("stable_audio_3", guidance_scale=2))
    with pytest.raises(NotPossible, match="no negative prompt together with a sound"):
        base.render(replace(asked, negative_prompt="drums"), source=tune(asked.samples))


def test_ace_step_has_fields_for_tempo_metre_and_key(engine: Engines) -> None:
    """The same words, all the difference in the fields."""
    model = engine("ace_step", turbo=True)
    asked = request("ace_step")
    others = [replace(asked, bpm=151.0), replace(asked, metre="3/4"), request("ace_step", key="Am"), asked]
    assert len({digest(model, one) for one in others}) == 4


def test_a_take_of_another_model_comes_through_the_usual_door(checkpoint: Callable[..., Path]) -> None:
    asked = request("audioldm")
    take = perform(load_engine(checkpoint("audioldm")), asked).takes[0]
    assert len(take.audio) == asked.samples
