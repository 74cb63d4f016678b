"""How the shipped ear and the shipped prints are made, in small."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generation.corpus.composer import compose
from generation.corpus.renderer import Renderer
from generation.corpus.soundfonts import FLUID_R3, SynthesizerUnavailable, find_soundfont
from generation.embedding import network, originality
from generation.embedding.network import Network, tempo_features, windows
from generation.embedding.picture import picture
from generation.training.embedding import EarNetwork, Lessons, hear, learn, moods_of, vocabulary, wish
from generation.training.originality import learn as learn_notes
from generation.training.originality import lessons, save

FIRST_SEED = 6_900_005  # the third of them is kept back for the confidences


@pytest.fixture(scope="module")
def soundfont() -> Path:
    try:
        return find_soundfont(FLUID_R3)
    except SynthesizerUnavailable as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory, soundfont: Path) -> Path:
    folder = tmp_path_factory.mktemp("heard")
    hear(folder, FIRST_SEED, 4, soundfont)
    return folder


def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    with np.load(path) as file:
        return {name: (array.shape, array.dtype.kind) for name, array in file.items()}


def test_what_is_learnt_is_what_is_asked(heard: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    ear = EarNetwork(vocabulary())
    told = Lessons.read(heard, ear.names)
    before = ear.heads["embed"].weight.clone()
    learn(told, ear, 3)
    assert not torch.equal(before, ear.heads["embed"].weight)
    ear.save(tmp_path / "ear.npz")
    assert shapes(tmp_path / "ear.npz") == shapes(network.WEIGHTS)

    shipped_as = Network.load(tmp_path / "ear.npz")
    seen: NDArray[np.float32] = np.asarray(told.picture(0) / 255, np.float32)
    parts = windows(seen)
    with torch.no_grad():
        answers = ear(torch.from_numpy(parts), torch.from_numpy(tempo_features(100)).expand(len(parts), -1))
        embedding = torch.nn.functional.normalize(answers["embed"].mean(0), dim=0).numpy()
        moods = torch.sigmoid(answers["moods"].mean(0)).numpy()
        sentence = ear.read(told.sentences[0, :1])[0].numpy()
    asked = shipped_as.listen(seen, 100)
    assert float(asked.embedding @ embedding) > 0.995
    np.testing.assert_allclose(list(asked.moods.values()), moods, atol=0.02)
    assert float(shipped_as.read(told.sentences[0, 0].numpy()) @ sentence) > 0.999


def test_what_was_heard_is_kept_and_true(heard: Path, soundfont: Path) -> None:
    (path,) = heard.glob("heard-*.npz")
    written = path.stat().st_mtime_ns
    hear(heard, FIRST_SEED, 4, soundfont)
    assert path.stat().st_mtime_ns == written
    told = Lessons.read(heard, vocabulary())
    score = compose(told.facts[0].seed)
    assert told.facts[0].sounds == tuple(dict.fromkeys(part.instrument for part in score.parts))
    assert [vocabulary()["sounds"][at] for at in torch.nonzero(told.sounds[0])[:, 0]] == sorted(
        told.facts[0].sounds, key=vocabulary()["sounds"].index
    )
    audio = np.sum(list(Renderer(soundfont).render(score).values()), axis=0, dtype=np.float32)
    np.testing.assert_array_equal(told.picture(0), np.rint(picture(audio) * 255))


def test_moods_do_not_belie_the_key() -> None:
    for seed in range(60):
        score = compose(seed)
        moods = moods_of(score)
        assert score.mood in moods
        if not score.key.minor:
            assert not {"sad", "menacing", "haunting"} & set(moods) - {score.mood}


def test_wishes_name_only_what_is_heard() -> None:
    rainy = [
        score for score in map(compose, range(400)) if [part.instrument for part in score.parts] == ["rain"]
    ]
    assert rainy
    for score in rainy:
        for number in range(8):
            assert "rain" in wish(score, list(score.parts), random.Random(number))


def test_the_shipped_prints_are_those_of_today_s_composer(soundfont: Path, tmp_path: Path) -> None:
    """A composer that changes makes them another corpus's: then they cannot be made again, and have to stay."""
    heard = list(lessons(Renderer(soundfont), 3, 6_500_000))
    seen, said = (torch.cat([pair[side].flatten(0, 1) for pair in heard]) for side in (0, 1))
    save(learn_notes(seen, said, 5), tmp_path / "prints.npz")
    assert shapes(tmp_path / "prints.npz") == shapes(originality.WEIGHTS)
    with np.load(tmp_path / "prints.npz") as made, np.load(originality.WEIGHTS) as shipped:
        for name in [name for name in made.files if name.startswith(("seeds", "prints"))]:
            np.testing.assert_array_equal(made[name], shipped[name], err_msg=name)
