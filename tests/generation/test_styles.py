"""The shelf of styles: put on by weight, mixed, taken off to the bit, and refused in a sentence."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from generation.engine import Engine
from generation.errors import RiffError
from generation.models.shipped import LoadedModel, load_model
from generation.models.styles import RECORD, WEIGHTS, Style, StyleShelf, StyleUnavailable, UnknownStyle
from generation.models.text import TextEncoder
from generation.request import Riff, RiffRequest
from generation.training.finetune import ADAPTED


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LoadedModel:
    return load_model(tiny_model)


@pytest.fixture
def shelf(model: LoadedModel, tmp_path: Path) -> StyleShelf:
    """Two styles of random weights, "bells" and "dusty"."""
    shelf = StyleShelf(tmp_path / "styles")
    for seed, name in enumerate(("bells", "dusty")):
        keep(shelf, model, name, seed)
    return shelf


def keep(shelf: StyleShelf, model: LoadedModel, name: str, seed: int, model_id: str = "") -> Style:
    transformer = model.pipeline.transformer
    torch.manual_seed(seed)
    transformer.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=list(ADAPTED)), "made")
    with torch.no_grad():
        for parameter, value in transformer.named_parameters():
            if "lora_B" in parameter:
                torch.nn.init.normal_(value, std=0.1)
    style = Style(name, model_id or model.model_id, rank=4, loops=1, captions=("bells",), steps=1, sha256="")
    saved = shelf.save(transformer, "made", style)
    transformer.unload_lora()
    return saved


def predicted(model: LoadedModel) -> torch.Tensor:
    """What the transformer says of some noise, as it is now."""
    chance = torch.Generator().manual_seed(1)
    transformer = model.pipeline.transformer
    with torch.inference_mode():
        answer: torch.Tensor = transformer(
            torch.randn(1, 16, transformer.config.latent_size, generator=chance),
            torch.tensor([0.8]),
            torch.randn(1, 4, 384, generator=chance),
            torch.ones(1, 4),
            torch.randn(1, 384, generator=chance),
            torch.tensor([120.0]),
            torch.tensor([3]),
        )
    return answer


def test_a_style_is_heard_by_its_weight_and_taken_off_to_the_bit(
    model: LoadedModel, shelf: StyleShelf
) -> None:
    transformer = model.pipeline.transformer
    names, plain = list(transformer.state_dict()), predicted(model)
    moved = {}
    for weight in (0.0, 0.5, 1.0):
        with shelf.worn(transformer, (("dusty", weight),), model.model_id) as digests:
            moved[weight] = float((predicted(model) - plain).abs().max())
        assert digests == {"dusty": shelf.find("dusty").sha256}
        assert torch.equal(predicted(model), plain)
    assert moved[0.0] == 0 < moved[0.5] < moved[1.0]
    assert list(transformer.state_dict()) == names


def test_styles_mix_and_a_style_named_twice_counts_twice(model: LoadedModel, shelf: StyleShelf) -> None:
    transformer = model.pipeline.transformer

    def worn(*styles: tuple[str, float]) -> torch.Tensor:
        with shelf.worn(transformer, styles, model.model_id):
            return predicted(model)

    mixed = worn(("dusty", 1.0), ("bells", 0.5))
    assert torch.allclose(mixed, worn(("bells", 0.5), ("dusty", 1.0)), atol=1e-5)
    assert not torch.allclose(mixed, worn(("dusty", 1.0)), atol=1e-2)
    assert torch.equal(worn(("dusty", 0.5), ("dusty", 0.5)), worn(("dusty", 1.0)))


def test_a_style_is_taken_off_when_the_riff_fails(model: LoadedModel, shelf: StyleShelf) -> None:
    plain = predicted(model)
    with (
        pytest.raises(ZeroDivisionError),
        shelf.worn(model.pipeline.transformer, (("bells", 1.0),), model.model_id),
    ):
        raise ZeroDivisionError
    assert torch.equal(predicted(model), plain)


def test_a_prompt_names_styles_and_the_recipe_keeps_their_digests(
    tiny_model: Path, shelf: StyleShelf
) -> None:
    engine = Engine(load_model(tiny_model), TextEncoder(), shelf.folder)

    def render(prompt: str) -> Riff:
        return engine.render(RiffRequest.parse(prompt=prompt, bars=1, steps=2, seed=1))

    plain = render("piano").takes[0]
    styled = render("style:dusty:0.5 style:bells piano").takes[0]
    again = render("style:dusty:0.5 style:bells piano").takes[0]
    unheard = render("style:dusty:0 piano").takes[0]
    assert styled.recipe["styles"] == {name: shelf.find(name).sha256 for name in ("dusty", "bells")}
    assert styled.recipe["sha256"] == again.recipe["sha256"] != plain.recipe["sha256"]
    assert unheard.recipe["sha256"] == plain.recipe["sha256"] == render("piano").takes[0].recipe["sha256"]
    assert "styles" not in plain.recipe
    with pytest.raises(UnknownStyle, match="There is no style “bell”: there are bells and dusty"):
        render("style:bell piano")


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ((), "There is no style “x”: none has been learnt yet; riff finetune learns one."),
        (("dusty",), "There is no style “x”: there is dusty."),
        (("dusty", "bells"), "There is no style “x”: there are bells and dusty."),
    ],
)
def test_an_unknown_style_is_answered_with_those_that_there_are(
    kept: tuple[str, ...], sentence: str, model: LoadedModel, tmp_path: Path
) -> None:
    shelf = StyleShelf(tmp_path / "styles")
    for name in kept:
        keep(shelf, model, name, 0)
    with pytest.raises(UnknownStyle) as refusal:
        shelf.find("x")
    assert str(refusal.value) == sentence
    assert shelf.folder.exists() == bool(kept)


@pytest.mark.parametrize("name", ["../styles/dusty", "/etc", "..", "dusty/", "Dusty", ""])
def test_a_name_is_no_path(name: str, shelf: StyleShelf) -> None:
    with pytest.raises(UnknownStyle):
        shelf.find(name)


def damage_weights(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def lose_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def damage_record(folder: Path) -> None:
    (folder / RECORD).write_text('{"name": "dusty"')


def rename(folder: Path) -> None:
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, "name": "other"}))


@pytest.mark.parametrize("harm", [damage_weights, lose_weights, damage_record, rename])
def test_a_damaged_style_is_one_sentence(harm: object, model: LoadedModel, shelf: StyleShelf) -> None:
    assert callable(harm)
    harm(shelf.folder / "dusty")
    plain = predicted(model)
    with (
        pytest.raises(StyleUnavailable, match="The style “dusty” is damaged"),
        shelf.worn(model.pipeline.transformer, (("bells", 1.0), ("dusty", 1.0)), model.model_id),
    ):
        pass
    assert torch.equal(predicted(model), plain)


def test_a_style_of_another_model_is_refused(model: LoadedModel, shelf: StyleShelf) -> None:
    keep(shelf, model, "foreign", 2, "riff-large@123456789abc")
    with (
        pytest.raises(RiffError) as refusal,
        shelf.worn(model.pipeline.transformer, (("foreign", 1.0),), model.model_id),
    ):
        pass
    assert str(refusal.value) == (
        f"The style “foreign” was learnt on riff-large@123456789abc, and this is {model.model_id}: learn it again."
    )


def test_weights_that_do_not_fit_are_refused_and_nothing_stays_on(
    model: LoadedModel, shelf: StyleShelf, tmp_path: Path
) -> None:
    """A record that claims this model, over weights of one that is twice as wide."""
    from generation.models.transformer import RiffTransformer

    wide = RiffTransformer(latent_size=16, width=64, depth=1, heads=2)
    wide.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=list(ADAPTED)), "made")
    style = Style("wide", model.model_id, rank=4, loops=1, captions=("bells",), steps=1, sha256="")
    shelf.save(wide, "made", style)
    plain = predicted(model)
    with (
        pytest.raises(StyleUnavailable, match="The style “wide” cannot be used with this model"),
        shelf.worn(model.pipeline.transformer, (("bells", 1.0), ("wide", 1.0)), model.model_id),
    ):
        pass
    assert torch.equal(predicted(model), plain)
