import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from generation.engine import Engine, Progress
from generation.errors import Cancelled, ModelUnavailable
from generation.models import tiny
from generation.models.pipeline import RiffPipeline
from generation.request import RiffRequest


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


def request(**values: object) -> RiffRequest:
    return RiffRequest.parse(**{"prompt": "church bells", "bars": 1, "seed": 3, "steps": 4, **values})


def test_a_riff_is_exactly_as_long_as_asked(engine: Engine) -> None:
    take = engine.render(request(bars=2, bpm=100)).takes[0]
    assert take.audio.shape == (2 * 4 * 60 * 44_100 // 100, 2)
    assert take.image.shape == (2 * 16 * 8, 160)
    assert np.abs(take.audio).max() <= 10 ** (-1 / 20) + 1e-6
    assert take.recipe["request"] == request(bars=2, bpm=100).to_dict()
    assert take.recipe["samples"] == len(take.audio)


def test_the_same_request_gives_the_same_bytes(engine: Engine, tiny_model: Path) -> None:
    first, second = (loaded.render(request()).takes[0] for loaded in (engine, Engine.load(tiny_model)))
    assert (first.audio == second.audio).all()
    assert first.recipe == second.recipe


def test_each_part_of_a_request_is_heard(engine: Engine) -> None:
    plain = engine.render(request()).takes[0].recipe["sha256"]
    others = [
        {"seed": 4},
        {"prompt": "rain"},
        {"negative_prompt": "drums"},
        {"guidance_scale": 1},
        {"steps": 5},
        {"variation_seed": 9, "variation": 0.3},
        {"morph_to": "rain", "morph": 0.5},
        {"metre": "3/4"},
        {"metre": "6/8"},
    ]
    digests = {engine.render(request(**change)).takes[0].recipe["sha256"] for change in others}
    assert len(digests | {plain}) == len(others) + 1
    for nothing in ({"variation_seed": 9}, {"morph_to": "rain"}, {"strength": 0.5}):
        assert engine.render(request(**nothing)).takes[0].recipe["sha256"] == plain


def test_the_end_of_a_morph_is_the_other_prompt(engine: Engine) -> None:
    other = engine.render(request(prompt="rain")).takes[0]
    morphed = engine.render(request(morph_to="rain", morph=1)).takes[0]
    assert np.abs(morphed.audio - other.audio).max() < 1e-3


def test_a_remix_keeps_more_of_its_source_the_weaker_it_is(engine: Engine) -> None:
    source = engine.render(request(seed=8)).takes[0]

    def distance(strength: float) -> float:
        take = engine.render(request(strength=strength), source=source.audio).takes[0]
        assert take.recipe["source"] == source.recipe["sha256"]
        return float(np.abs(take.image.astype(np.float64) - source.image).mean())

    assert distance(0.05) < distance(1.0)


def test_a_variation_is_nearer_than_another_seed(engine: Engine) -> None:
    def picture(**change: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return engine.render(request(**change)).takes[0].image.astype(np.float64)

    plain, near, far = picture(), picture(variation_seed=9, variation=0.3), picture(seed=9)
    assert np.abs(plain - near).mean() < np.abs(plain - far).mean()


def test_each_take_can_be_made_alone(engine: Engine) -> None:
    whole = request(takes=2)
    riff = engine.render(whole)
    alone = engine.render(whole.take(1)).takes[0]
    assert len(riff.takes) == 2
    assert riff.takes[1].recipe == alone.recipe


def test_progress_grows_to_the_end_with_pictures(engine: Engine) -> None:
    seen: list[Progress] = []
    engine.render(request(takes=2), seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {progress.phase for progress in seen} == {"denoising", "decoding"}
    previews = [progress.preview for progress in seen if progress.preview]
    assert len(previews) == 4
    assert all(preview.startswith(b"\x89PNG") for preview in previews)


def test_cancelling_stops_at_the_next_step(engine: Engine) -> None:
    stop, seen = threading.Event(), []

    def on_progress(progress: Progress) -> None:
        seen.append(progress.step)
        if progress.step == 2:
            stop.set()

    with pytest.raises(Cancelled):
        engine.render(request(steps=50), on_progress, stop.is_set)
    assert max(seen) == 2


def test_all_lengths_and_tempi_work(engine: Engine) -> None:
    for bars, bpm in ((1, 240), (3, 173.3), (16, 239), (1, 40)):
        asked = request(bars=bars, bpm=bpm, steps=1)
        assert len(engine.render(asked).takes[0].audio) == asked.samples


def test_the_folder_is_a_diffusers_pipeline(tiny_model: Path) -> None:
    assert RiffPipeline.from_pretrained(tiny_model).transformer.config.width == 32


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    return tiny.save(tmp_path / "own")


def test_missing_weights_are_named(own_model: Path) -> None:
    shutil.rmtree(own_model / "transformer")
    with pytest.raises(ModelUnavailable, match="weights are missing"):
        Engine.load(own_model)
    with pytest.raises(ModelUnavailable, match="weights are missing"):
        Engine.load(own_model / "nowhere")


def test_a_flipped_bit_is_noticed(own_model: Path) -> None:
    weights = own_model / "transformer/diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-9] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="damaged"):
        Engine.load(own_model)


def test_half_a_file_is_noticed(own_model: Path) -> None:
    weights = own_model / "transformer/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="damaged"):
        Engine.load(own_model)


def test_another_codec_is_noticed(own_model: Path) -> None:
    record = json.loads((own_model / "riff.json").read_text())
    (own_model / "riff.json").write_text(json.dumps({**record, "codec": "mel512"}))
    with pytest.raises(ModelUnavailable, match="another codec"):
        Engine.load(own_model)


@pytest.mark.parametrize(("metre", "sixteenths"), [("3/4", 24), ("6/8", 24), ("4/4", 32)])
def test_a_metre_is_a_number_of_sixteenths(engine: Engine, metre: str, sixteenths: int) -> None:
    take = engine.render(request(bars=2, metre=metre)).takes[0]
    assert len(take.audio) == sixteenths * 15 * 44_100 // 120
    assert take.image.shape == (sixteenths * 8, 160)
