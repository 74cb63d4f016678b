"""The codec's network on disk, and its training on two loops of noise and tones."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.errors import ModelUnavailable
from generation.request import SAMPLE_RATE
from generation.spectrogram import SpectrogramCodec
from generation.spectrogram.inverse import BandInverse, load_inverse, save_inverse
from generation.training.inverse import WEIGHTS, InversePlan, LoopSource, train

CODEC = SpectrogramCodec()


@pytest.fixture
def inverse() -> BandInverse:
    torch.manual_seed(3)
    return BandInverse(CODEC.bands, CODEC.window_length // 2 + 1, width=16, depth=1).eval()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One shard of two loops with two stems each."""
    noise = np.random.default_rng(5)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    folder = tmp_path / "corpus"
    folder.mkdir()
    with zipfile.ZipFile(folder / "loops-00000000-00000001.npz", "w") as shard:
        for index, hz in enumerate((110, 660)):
            for role, sound in (
                ("bass", np.sin(2 * np.pi * hz * time)),
                ("drums", noise.normal(0, 0.2, len(time))),
            ):
                with shard.open(f"{index}/{role}.npy", "w") as member:
                    stem = np.repeat((sound * 9000)[:, None], 2, 1).astype(np.int16)
                    np.lib.format.write_array(member, stem)
    return folder


def test_a_network_comes_back_from_disk(inverse: BandInverse, tmp_path: Path) -> None:
    torch.nn.init.normal_(inverse.write.weight)
    save_inverse(inverse, tmp_path / "inverse.safetensors", CODEC.name)
    again = load_inverse(tmp_path / "inverse.safetensors", CODEC.name)
    level = torch.rand(1, 5, CODEC.bands)
    with torch.no_grad():
        assert torch.allclose(again(level, 500), inverse(level, 500), rtol=0.01, atol=0.1)
    assert not again.training


def test_a_network_for_another_codec_is_refused(inverse: BandInverse, tmp_path: Path) -> None:
    save_inverse(inverse, tmp_path / "inverse.safetensors", "erb99")
    with pytest.raises(ModelUnavailable, match="another codec"):
        load_inverse(tmp_path / "inverse.safetensors", CODEC.name)


def test_a_damaged_network_is_refused(inverse: BandInverse, tmp_path: Path) -> None:
    path = tmp_path / "inverse.safetensors"
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_inverse(path, CODEC.name)
    save_inverse(inverse, path, CODEC.name)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_inverse(path, CODEC.name)


def test_a_fresh_network_corrects_nothing(inverse: BandInverse) -> None:
    with torch.no_grad():
        assert not inverse(torch.rand(2, 7, CODEC.bands), 689).any()


def test_the_network_hears_round_the_end(inverse: BandInverse) -> None:
    torch.nn.init.normal_(inverse.write.weight)
    level = torch.rand(1, 6, CODEC.bands)
    with torch.no_grad():
        turned = inverse(level.roll(2, 1), 689)
        assert torch.allclose(turned, inverse(level, 689).roll(2, 1), atol=1e-3)


def test_the_network_knows_the_tempo(inverse: BandInverse) -> None:
    torch.nn.init.normal_(inverse.write.weight)
    level = torch.rand(1, 6, CODEC.bands)
    with torch.no_grad():
        assert not torch.allclose(inverse(level, 400), inverse(level, 900), atol=0.1)


def test_examples_are_what_the_codec_makes_of_their_sound(corpus: Path) -> None:
    source = LoopSource(sorted(corpus.glob("*.npz")), seed=11)
    for _ in range(3):
        example = source.example(CODEC, batch=2)
        assert example.audio.shape == (2, 96 * example.hop)
        assert 345 <= example.hop <= CODEC.window_length / 3
        assert float(example.power.amax()) > 0
        bands = 10 * torch.log10(example.power @ CODEC.filters.T + 1e-12)
        loud = example.level > 0.5
        assert float((bands - 80 * (example.level - 1))[loud].abs().median()) < 3


def test_training_goes_on_where_it_was(corpus: Path, tmp_path: Path) -> None:
    plan = {"batch": 1, "heard": 0.5, "iterations": 1}
    first = list(train([corpus], tmp_path / "run", InversePlan(minutes=0.004, **plan)))
    assert first[-1].step >= 1
    second = list(train([corpus], tmp_path / "run", InversePlan(minutes=first[-1].minutes + 0.002, **plan)))
    assert second[0].step > first[-1].step
    assert list(train([corpus], tmp_path / "run", InversePlan(minutes=0.004, **plan))) == []
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [moment.step for moment in first + second]
    load_inverse(tmp_path / "run" / WEIGHTS, CODEC.name)
