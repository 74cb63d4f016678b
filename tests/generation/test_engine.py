import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from generation.engine import FEATURES, Engine, Progress, load_engine
from generation.errors import Cancelled, ModelUnavailable
from generation.models import tiny
from generation.models.pipeline import Canvas, RiffPipeline, Window, starting_noise
from generation.models.styles import UnknownStyle
from generation.request import RiffRequest
from generation.spectrogram.patches import to_patches


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
        assert take.recipe["source"] == {"sha256": source.recipe["sha256"]}
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


def test_what_is_known_of_a_picture_stays_and_the_rest_is_painted(engine: Engine) -> None:
    """Known patches come back through the principal components, which keep all of a picture of the model's own."""
    known = engine.codec.encode(engine.render(request(bars=2, seed=8)).takes[0].audio, 32)
    asked, transformer = request(bars=2), engine.pipeline.transformer
    free = np.zeros(known.level.shape, np.bool_)
    free[:128, 40:] = True
    *_, last = engine.pipeline.denoise(asked, engine.texts(asked)[0], canvas=Canvas(known, free))
    wanted = to_patches(known)[None]
    wanted = transformer.to_patches(transformer.to_latents(wanted))[0, 16:]
    painted = transformer.to_patches(last.predicted)[0]
    assert (painted[16:] - wanted).abs().max() < 1e-4
    plain = engine.pipeline(asked, engine.texts(asked)[0], engine.codec).level.astype(float)
    level = engine.pipeline.picture(last.predicted, engine.codec).level.astype(float)
    assert np.abs(level - plain)[:128].mean() > 1


def test_windows_that_agree_are_one_picture(engine: Engine) -> None:
    """Two bars in windows of two bars from either of them: the same loop, turned, seen twice."""
    asked = request(bars=2)
    prompt = engine.texts(asked)[0]
    noise = starting_noise(asked, engine.pipeline.transformer.config.latent_size)
    *_, whole = engine.pipeline.denoise(asked, prompt)
    *_, windowed = engine.pipeline.slide(asked, noise, [Window(0, 2, prompt), Window(1, 2, prompt)])
    assert (whole.predicted - windowed.predicted).abs().max() < 1e-4


def test_a_variation_towards_its_own_seed_is_itself(engine: Engine) -> None:
    plain, turned = (
        engine.render(request(**change)) for change in ({}, {"variation_seed": 3, "variation": 0.5})
    )
    assert plain.takes[0].recipe["sha256"] == turned.takes[0].recipe["sha256"]


def test_emphasis_leads_towards_what_is_emphasised(engine: Engine) -> None:
    def pooled(prompt: str) -> Tensor:
        return engine.texts(request(prompt=prompt))[0].pooled[0]

    bells = pooled("bells")
    near = [
        float(pooled(f"{words} and soft rain") @ bells)
        for words in ("[bells]", "bells", "(bells)", "(bells:1.5)")
    ]
    assert near == sorted(near)
    assert near[-1] > near[0] + 0.05


def test_a_folder_of_ours_is_our_engine(tiny_model: Path, tmp_path: Path) -> None:
    loaded = load_engine(tiny_model, tmp_path / "styles")
    assert isinstance(loaded, Engine)
    assert loaded.can == FEATURES
    with pytest.raises(UnknownStyle, match="There is no style “warm”"):
        loaded.render(request(prompt="bells style:warm"))
    assert list(tmp_path.iterdir()) == []


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
