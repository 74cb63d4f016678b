"""What is told of the shipped model without loading it."""

from generation import origin
from generation.models.shipped import SHIPPED, load_model


def test_the_shipped_model_is_called_what_recipes_call_it() -> None:
    facts = origin.shipped()
    assert facts.model_id == load_model(SHIPPED).model_id
    assert sorted(facts.weights) == [
        "inverse/inverse.safetensors",
        "transformer/diffusion_pytorch_model.safetensors",
    ]
