from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.arrange import layers, perform
from generation.audio.loudness import true_peak
from generation.audio.pcm import FULL_SCALE, pcm24, sha256
from generation.engine import Engine, Progress
from generation.errors import NotPossible
from generation.judge import detectors
from generation.request import RiffRequest

Audio = NDArray[np.float32]


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


def request(**values: object) -> RiffRequest:
    given = {
        "prompt": "techno with piano",
        "bars": 1,
        "seed": 3,
        "steps": 2,
        "arrangement": {"kind": "layers"},
    }
    return RiffRequest.parse(**{**given, **values})


def integers(audio: Audio) -> NDArray[np.int64]:
    """The 24-bit samples as they stand in a file."""
    raw = np.frombuffer(pcm24(audio), np.uint8).reshape(-1, 3).astype(np.int64)
    value = raw[:, 0] | raw[:, 1] << 8 | raw[:, 2] << 16
    return np.where(value > FULL_SCALE, value - 2**24, value)


def test_the_stems_add_up_to_the_mix(engine: Engine) -> None:
    asked = request(bars=2, metre="3/4")
    seen: list[Progress] = []
    riff = perform(engine, asked, on_progress=seen.append)
    take = riff.takes[0]
    assert list(take.stems) == ["drums", "bass", "harmony", "lead"]
    assert all(stem.shape == take.audio.shape == (asked.samples, 2) for stem in take.stems.values())
    # Whoever lays the four files over each other hears the fifth, to the last bit.
    assert (sum(integers(stem) for stem in take.stems.values()) == integers(take.audio)).all()
    assert all(np.abs(stem).max() > 0.01 for stem in take.stems.values())
    assert 20 * np.log10(true_peak(take.audio)) <= -1
    assert take.image.shape == (asked.sixteenths * 8, 160)
    assert take.recipe["sha256"] == sha256(take.audio)
    assert take.recipe["stems"] == {role: sha256(stem) for role, stem in take.stems.items()}
    assert RiffRequest.from_dict(take.recipe["request"]) == asked
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert perform(engine, asked).takes[0].recipe == take.recipe


def test_only_the_layers_asked_for_are_made(engine: Engine) -> None:
    some = {"kind": "layers", "drums": "rock drums", "lead": ""}
    take = perform(engine, request(arrangement=some)).takes[0]
    assert list(take.stems) == ["drums", "lead"]
    other = {**some, "drums": "jazz drums"}
    again = perform(engine, request(arrangement=other)).takes[0]
    assert again.recipe["stems"]["drums"] != take.recipe["stems"]["drums"]


def test_a_model_that_starts_from_prompts_only_makes_no_layers(engine: Engine) -> None:
    class Plain:
        model_id, can = "plain@1", frozenset({"variation"})
        render = engine.render

    with pytest.raises(NotPossible) as refused:
        layers.perform(Plain(), request())
    assert str(refused.value) == "plain@1 cannot make layers: each stem starts from a sketch of all of them."


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("lofi hip hop with piano", ("lofi hip hop drums", "lofi hip hop bass", "lofi hip hop piano")),
        ("deep house with drums and organ", ("house drums", "house bass", "house organ")),
        ("church bells", ("drums", "bass", "church bells, no drums, no bass")),
    ],
)
def test_a_stem_without_a_prompt_follows_the_request(prompt: str, said: tuple[str, ...]) -> None:
    assert tuple(layers.stem_prompt(prompt, role) for role in ("drums", "bass", "harmony")) == said


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("techno", True),
        ("drum machine, ambient", True),
        ("ambient with drums", True),
        ("solo piano, lofi", False),
        ("techno without drums", False),
        ("church bells", False),
        ("orchestral techno", False),
    ],
)
def test_drums_are_expected_where_the_prompt_promises_them(prompt: str, expected: bool) -> None:
    assert layers.has_drums(prompt) is expected


def test_ringing_is_what_lasts() -> None:
    """A tone and clicks, told apart, round the loop's end as well."""
    place = np.arange(88_200)
    tone = 0.3 * np.sin(2 * np.pi * 441 / 44_100 * place)
    clicks = np.where(place % 22_050 < 40, 0.8, 0.0) * np.random.default_rng(1).standard_normal(88_200)
    loop = np.stack([tone + clicks] * 2, 1).astype(np.float32)
    rung = layers.ringing(loop)[:, 0]
    quiet = np.abs(rung - tone)[place % 22_050 > 4096]
    assert quiet.max() < 0.03
    struck = loop[:, 0] - rung
    assert np.square(struck).sum() > 0.8 * np.square(clicks).sum()


def test_stems_fit_each_other_and_contain_what_they_are_asked_for() -> None:
    """With the shipped model, against stems of the same prompts that were rendered without a sketch."""
    engine = Engine.load()
    asked = request(prompt="rock with electric guitar and organ", key="Em", seed=4, bars=2, steps=8)
    take = perform(engine, asked).takes[0]
    stems = take.stems
    assert (sum(integers(stem) for stem in stems.values()) == integers(take.audio)).all()
    apart = {
        role: engine.render(
            request(
                prompt=layers.stem_prompt(asked.prompt, role),
                key="Em",
                bars=2,
                steps=8,
                bpm=asked.bpm,
                seed=104 + index,
                arrangement=None,
            )
        )
        .takes[0]
        .audio
        for index, role in enumerate(("harmony", "lead"))
    }
    assert _agreement(stems["harmony"], stems["lead"]) > _agreement(apart["harmony"], apart["lead"]) + 0.05

    def struck(role: str) -> float:
        rest = stems[role] - layers.ringing(stems[role])
        return float(np.square(rest).sum() / np.square(stems[role]).sum())

    assert struck("drums") > 2 * max(struck("bass"), struck("harmony"), struck("lead"))
    assert _low_share(stems["bass"]) > 0.85
    assert _low_share(stems["lead"]) < 0.5


def _agreement(one: Audio, other: Audio) -> float:
    """Mean over the beats of two bars of the cosine of their pitch classes."""
    beats = [np.array_split(stem.mean(1), 8) for stem in (one, other)]
    cosines = []
    for pair in zip(*beats, strict=True):
        first, second = (detectors.chroma(beat) for beat in pair)
        cosines.append(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9))
    return float(np.mean(cosines))


def _low_share(stem: Audio) -> float:
    """The share of a stem's energy below 250 Hz."""
    power = np.abs(np.fft.rfft(stem.mean(1))) ** 2
    return float(power[np.fft.rfftfreq(len(stem), 1 / 44_100) < 250].sum() / power.sum())
