from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from generation.judge.classifier import FRAMES, Classifier, Lessons, train, view
from generation.judge.loops import Facts, Specimen

GENRES, SOUNDS = ("house", "jazz"), ("piano", "bass guitar", "kit")
_FACTS = Facts("", "", (), (), 120, 2, "4/4", 0, 0)


def _picture(*bands: int) -> NDArray[np.uint8]:
    chance = np.random.default_rng(sum(bands))
    level = chance.integers(0, 60, (256, 160)).astype(np.uint8)
    for band in bands:
        level[:, band : band + 12] = 230
    return level


def _specimens(count: int) -> list[Specimen]:
    alone = [
        ((20,), ("bass guitar",), ("bass",)),
        ((80,), ("piano",), ("chords",)),
        ((140,), ("kit",), ("drums",)),
    ]
    bands = [
        ((20, 80), ("bass guitar", "piano"), ("bass", "chords")),
        ((20, 140), ("bass guitar", "kit"), ("drums", "bass")),
    ]
    specimens = []
    for seed in range(count):
        for places, instruments, roles in (*alone, *bands):
            genre = "" if len(places) == 1 else "jazz" if 80 in places else "house"
            facts = replace(_FACTS, instruments=instruments, roles=roles, genre=genre, seed=seed)
            specimens.append(Specimen(facts, _picture(*places), {}))
    return specimens


def test_a_view_repeats_short_loops_and_joins_pairs_of_frames() -> None:
    level = np.repeat(np.arange(96, dtype=np.uint8)[:, None], 160, 1)
    seen = view(level)
    assert seen.shape == (FRAMES // 2, 160)
    assert seen[:3, 0].tolist() == [0, 2, 4]
    assert np.array_equal(seen[48:96], seen[:48])
    assert view(level, 10)[0, 0] == 10


def test_lessons_ask_for_a_genre_of_bands_only_and_for_the_only_player_of_solos() -> None:
    lessons = Lessons.of(_specimens(1), GENRES, SOUNDS)
    assert lessons.genre.tolist() == [-1, -1, -1, 1, 0]
    assert lessons.solo.tolist() == [1, 0, 2, -1, -1]
    assert lessons.sounds.sum(1).tolist() == [1, 1, 1, 2, 2]
    assert lessons.roles.tolist() == [[0, 1], [0, 0], [1, 0], [0, 1], [1, 1]]


def test_the_classifier_learns_what_it_is_taught() -> None:
    torch.manual_seed(0)
    classifier = Classifier(GENRES, SOUNDS)
    specimens = _specimens(1)
    losses = [
        loss for _, _, loss in train(classifier, Lessons.of(specimens, GENRES, SOUNDS), epochs=30, batch=5)
    ]
    assert losses[-1] < 0.5 * losses[0]
    opinions = classifier.judge([specimen.level for specimen in specimens[:5]])
    assert opinions.solo[:3].argmax(1).tolist() == [1, 0, 2]
    assert opinions.genre[3:].argmax(1).tolist() == [1, 0]
    assert (opinions.roles[:, 0] > 0).tolist() == [False, False, True, False, True]
    assert opinions.embedding.shape == (5, 192)


def test_long_loops_are_seen_twice_and_judged_once() -> None:
    classifier = Classifier(GENRES, SOUNDS)
    long, short = np.concatenate([_picture(20)] * 4), _picture(80)
    opinions = classifier.judge([long, short, long])
    assert opinions.genre.shape == (3, 2)
    assert np.allclose(opinions.genre[0], opinions.genre[2])
    assert np.allclose(opinions.solo[1], classifier.judge([short]).solo[0], atol=1e-5)
