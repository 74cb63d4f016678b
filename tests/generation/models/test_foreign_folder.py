"""Which folders are taken for models of other houses, and what is said of those that are not."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.errors import ModelUnavailable
from generation.models.foreign import load_foreign
from generation.request import RiffRequest

Checkpoints = Callable[..., Path]


@pytest.fixture
def own(checkpoint: Checkpoints, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a checkpoint that may be damaged."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(checkpoint(name), tmp_path / name))

    return copy


def refusal(model: Path | str) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        load_foreign(model)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def changed(folder: Path, file: str, **values: Any) -> Path:
    record = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**record, **values}))
    return folder


def test_the_model_id_changes_with_any_weight(own: Callable[[str], Path]) -> None:
    folder = own("audioldm")
    before = load_foreign(folder).model_id
    assert load_foreign(folder).model_id == before
    path = next((folder / "vae").glob("*.safetensors"))
    weights = load_file(path)
    first = next(iter(weights))
    save_file({**weights, first: weights[first] + 1}, path, metadata={"format": "pt"})
    after = load_foreign(folder).model_id
    assert after != before
    assert after.split("@")[0] == before.split("@")[0] == "audioldm"
    assert len(after.split("@")[1]) == 12


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path)
        == f"There is no model in {tmp_path}: it has neither riff.json, model_index.json nor config.json."
    )
    assert refusal(tmp_path / "nowhere").startswith("The model's weights are missing (there is no folder ")


def test_an_unknown_pipeline_and_an_unknown_model(own: Callable[[str], Path], tmp_path: Path) -> None:
    folder = changed(own("audioldm"), "model_index.json", _class_name="FluxPipeline")
    assert refusal(folder).startswith(
        f"FluxPipeline in {folder} is not a model that can play here: Riffusion, "
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "musicgen_melody"}')
    assert refusal(other).startswith("musicgen_melody in ")


@pytest.mark.parametrize("content", ["{", "[]", "null"])
def test_an_index_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "model_index.json").write_text(content)
    assert "model_index.json" in refusal(tmp_path)


def test_a_missing_part_is_named(own: Callable[[str], Path]) -> None:
    folder = own("stable_audio")
    shutil.rmtree(folder / "transformer")
    assert refusal(folder) == f"The model in {folder} is not whole: transformer is missing."


def test_missing_weights(own: Callable[[str], Path]) -> None:
    folder = own("stable_audio")
    next((folder / "vae").glob("*.safetensors")).unlink()
    assert refusal(folder).startswith(f"The model in {folder} cannot be loaded (")
    folder = own("dance_diffusion")
    next((folder / "unet").glob("*.safetensors")).unlink()
    assert refusal(folder) == f"The model in {folder} has no weights: there is no safetensors file."


@pytest.mark.parametrize("name", ["ace_step", "musicgen"])
def test_half_a_file_is_noticed(own: Callable[[str], Path], name: str) -> None:
    folder = own(name)
    weights = max(folder.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert refusal(folder).startswith(
        f"The model's weights in {folder} are damaged ({weights.relative_to(folder)}: "
    )


def test_pickles_are_not_read(own: Callable[[str], Path]) -> None:
    folder = own("dance_diffusion")
    weights = next((folder / "unet").glob("*.safetensors"))
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    assert "keeps weights as pickles (unet), which can run code: get it as safetensors." in refusal(folder)


def test_code_that_comes_with_a_model_is_not_run(own: Callable[[str], Path]) -> None:
    folder = own("audioldm")
    marker = folder / "ran"
    (folder / "vae" / "trap.py").write_text(f"open({str(marker)!r}, 'w')\nclass Trap: pass\n")
    changed(folder, "model_index.json", vae=["trap", "Trap"])
    assert "wants to run code of its own (trap), which Riffmarket does not." in refusal(folder)
    assert not marker.exists()


def test_weights_of_another_shape(own: Callable[[str], Path]) -> None:
    folder = own("audioldm")
    changed(folder / "unet", "config.json", block_out_channels=[16, 16], cross_attention_dim=[16, 16])
    assert refusal(folder).startswith(f"The model in {folder} cannot be loaded (")


def test_weights_that_play_no_numbers(own: Callable[[str], Path]) -> None:
    folder = own("audioldm")
    path = next((folder / "vocoder").glob("*.safetensors"))
    save_file(
        {name: value * torch.nan for name, value in load_file(path).items()}, path, metadata={"format": "pt"}
    )
    engine = load_foreign(folder)
    with pytest.raises(ModelUnavailable, match="AudioLDM played no sound but numbers without end"):
        engine.render(RiffRequest.parse(prompt="bells", seed=3, bars=1, bpm=200, steps=2))


def test_older_folders_of_audioldm_2_play_the_same(own: Callable[[str], Path]) -> None:
    """They name GPT2Model, which lost its ways of generating."""
    folder = own("audioldm_2")
    asked = RiffRequest.parse(prompt="bells", seed=3, bars=1, bpm=200, steps=2)
    new = load_foreign(folder).render(asked).takes[0]
    changed(folder, "model_index.json", language_model=["transformers", "GPT2Model"])
    path = folder / "language_model/model.safetensors"
    weights = load_file(path)
    weights.pop("lm_head.weight", None)
    body = {name.removeprefix("transformer."): value for name, value in weights.items()}
    save_file(body, path, metadata={"format": "pt"})
    old = load_foreign(folder).render(asked).takes[0]
    assert (old.audio == new.audio).all()


def test_a_hub_id_without_a_network_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    sentence = refusal("stabilityai/no-such-model-riffmarket")
    assert sentence.startswith(
        "stabilityai/no-such-model-riffmarket is no folder here and could not be fetched"
    )
