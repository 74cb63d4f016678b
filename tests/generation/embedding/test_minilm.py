"""The text encoder without torch gives what the one with torch gives."""

import hashlib

import numpy as np
import pytest

from generation import minilm
from generation.embedding import embed_text
from generation.embedding.minilm import MAX_TOKENS, MiniLM
from generation.errors import InvalidRequest, ModelUnavailable
from generation.minilm import model_folder
from generation.models.text import TextEncoder

SENTENCES = [
    "church bells into electronic beats",
    "warm rainy night",
    "lluvia, guitarra española y un bajo tranquilo",
    "808!!! (hard) — sub-bass, 140 bpm",
    "x",
    "夜 🎹 naïve Ætherium",
]


@pytest.fixture(scope="module")
def with_torch() -> TextEncoder:
    return TextEncoder()


def test_sentences_come_out_as_with_torch(with_torch: TextEncoder) -> None:
    wanted = with_torch(SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        length = int(wanted.weight[row].sum())
        np.testing.assert_allclose(
            MiniLM.load().states(sentence), wanted.states[row, :length].numpy(), rtol=0, atol=1e-4
        )
        np.testing.assert_allclose(MiniLM.load()(sentence), wanted.pooled[row].numpy(), rtol=0, atol=1e-5)


def test_a_long_sentence_is_cut() -> None:
    long = MiniLM.load()("slow piano and rain " * 100)
    np.testing.assert_array_equal(long, MiniLM.load()("slow piano and rain " * 50))
    assert len(MiniLM.load().states("slow piano and rain " * 100)) == MAX_TOKENS


def test_the_file_is_the_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    content = (model_folder() / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == minilm._SHA256
    monkeypatch.setattr(minilm, "_SHA256", "0" * 64)
    model_folder.cache_clear()
    with pytest.raises(ModelUnavailable, match="not the known ones"):
        model_folder()
    monkeypatch.setattr(minilm, "_PACKAGE", "no-such-package")
    with pytest.raises(ModelUnavailable, match="pip install no-such-package"):
        model_folder()
    model_folder.cache_clear()


def test_a_sentence_has_one_place() -> None:
    first = embed_text("warm rainy night")
    assert first.shape == (64,)
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(first, embed_text("warm rainy night"))


@pytest.mark.parametrize("nothing", ["", "  \n"])
def test_an_empty_sentence_is_refused(nothing: str) -> None:
    with pytest.raises(InvalidRequest, match="write a few words"):
        embed_text(nothing)
