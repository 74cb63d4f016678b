from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generation.corpus.instruments import BASSES, KITS, MELODIC, SOUNDS, TEXTURES
from generation.engine import Engine
from generation.judge import riffs
from generation.judge.loops import Facts, Specimen
from generation.request import Key

FACTS = Facts(
    "Jazz loop with piano, double bass and drums",
    "jazz",
    ("piano", "acoustic bass", "jazz kit"),
    (),
    96,
    2,
    "4/4",
    19,
    7,
)


def test_a_wish_asks_for_what_the_real_loop_is() -> None:
    loop = Specimen(replace(FACTS, metre="3/4", bars=8), np.zeros((64, 160), np.uint8), {})
    request = riffs.like(loop, 5).request
    assert (request.prompt, request.seed, request.bars, request.metre, request.bpm) == (
        FACTS.caption,
        5,
        8,
        "3/4",
        96,
    )
    assert request.key == Key(9, minor=True)


def test_a_caption_names_its_genre_or_does_not() -> None:
    assert riffs.named_genre(FACTS)
    assert not riffs.named_genre(replace(FACTS, caption="loop with piano and jazzy drums"))
    assert not riffs.named_genre(replace(FACTS, instruments=("piano",)))
    assert not riffs.named_genre(replace(FACTS, genre=""))


def test_players_count_only_where_all_of_them_are_named() -> None:
    bass = SOUNDS["acoustic bass"].synonyms[0]
    named = replace(FACTS, caption=f"jazz, piano and {bass}")
    assert riffs.named_players(named) == ("piano", "acoustic bass")
    assert riffs.named_players(replace(named, caption="jazz, piano and beat")) == ()
    spanish = f"jazz con {SOUNDS['piano'].spanish[0]} y {SOUNDS['acoustic bass'].spanish[0]}"
    assert riffs.named_players(replace(named, caption=spanish)) == ("piano", "acoustic bass")


def test_every_sound_is_asked_for_twice() -> None:
    wishes = riffs.alone()
    assert len(wishes) == 2 * len(MELODIC | BASSES | KITS | TEXTURES)
    assert {wish.facts.instruments[0] for wish in wishes} == set(SOUNDS)
    assert [wish.request.prompt for wish in wishes if wish.facts.instruments == ("piano",)] == [
        "piano",
        "solo piano",
    ]
    assert riffs.accepted("piano") == {"piano"}


def test_pairs_differ_in_nothing_but_their_word() -> None:
    for first, second in riffs.with_and_without_drums(8):
        assert second.request == replace(
            first.request, prompt=first.request.prompt.replace(" with drums", " without drums")
        )
    for steps in riffs.morphs(2):
        assert [step.request.morph for step in steps] == list(riffs.PLACES)
        assert len({replace(step.request, morph=0) for step in steps}) == 1


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


def test_riffs_are_made_once_and_made_again_for_other_wishes(engine: Engine, tmp_path: Path) -> None:
    wishes = [riffs.plainly("church bells", seed, bars=1) for seed in range(2)]
    wishes = [replace(wish, request=replace(wish.request, steps=1, bpm=240)) for wish in wishes]
    first = riffs.make(engine, wishes, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    written = path.stat().st_mtime_ns
    again = riffs.make(engine, wishes, tmp_path)
    assert path.stat().st_mtime_ns == written
    assert np.array_equal(first[1].level, again[1].level)
    assert first[0].level.shape == (128, 160)
    assert [specimen.facts for specimen in first] == [wish.facts for wish in wishes]
    riffs.make(
        engine, [replace(wish, facts=replace(wish.facts, caption="other")) for wish in wishes], tmp_path
    )
    assert path.stat().st_mtime_ns != written
