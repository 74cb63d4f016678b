"""Text and keys, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.search import keys
from market.search.query import Query, text_clauses
from market.search.service import step_of
from market.search.words import distance, folded, lexeme_of, mark, rests_of, slug_of, terms_of, words_of


def test_words_are_folded_and_hyphens_read_both_ways() -> None:
    assert list(words_of("Church Bells, and CAFÉ")) == ["church", "bells", "cafe"]
    assert list(words_of("lo-fi")) == ["lo", "fi", "lofi"]
    assert terms_of("lo-fi the bells bells") == [("lo", "fi"), ("bells",)]
    assert text_clauses(terms_of("tip-top")) == (("tip", "tiptop"), ("top", "tiptop"))
    assert text_clauses(terms_of("dnb")) == (("dnb", "g=drum-and-bass"),)
    assert terms_of("\x00 \ud800 🎹 '\"() *") == []


@pytest.mark.parametrize(
    ("word", "lexeme"),
    [
        ("bells", "bell"),
        ("bass", "bass"),
        ("brass", "brass"),
        ("vibes", "vibe"),
        ("bus", "bus"),
        ("808", "808"),
    ],
)
def test_a_plural_is_looked_for_as_its_singular(word: str, lexeme: str) -> None:
    assert lexeme_of(word) == lexeme


@given(st.text())
def test_no_lexeme_reaches_a_query_language(text: str) -> None:
    for word in words_of(text):
        assert lexeme_of(word).replace("-", "").isalnum()
        assert lexeme_of(word).isascii()
        assert len(lexeme_of(word)) <= 32
    assert mark("g", text).partition("=")[2].replace("-", "").isalnum()
    assert slug_of(text) == slug_of(folded(text))


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("piano", "piano", 0),
        ("paino", "piano", 1),
        ("pian", "piano", 1),
        ("saxaphne", "saxophone", 2),
        ("a", "bcd", 3),
    ],
)
def test_edits(one: str, other: str, edits: int) -> None:
    assert distance(one, other, 2) == edits == distance(other, one, 2)
    if edits == 1:
        assert rests_of(one) & rests_of(other)


def test_counts_grow_by_steps_that_keep_them_within_a_tenth() -> None:
    assert [step_of(count) for count in (0, 1, 127, 128, 1000, 1_000_000)] == [1, 1, 1, 2, 8, 8192]


def test_keys_go_round_the_wheel() -> None:
    wheel = {keys.name_of(number): keys.camelot(number) for number in range(24)}
    assert len(set(wheel.values())) == 24
    assert [wheel[name] for name in ("Am", "C", "Em", "E", "Bbm", "F#")] == [
        "8A",
        "8B",
        "9A",
        "12B",
        "3A",
        "2B",
    ]
    for number in range(24):
        place, side = int(keys.camelot(number)[:-1]), keys.camelot(number)[-1]
        near = {(place, "A"), (place, "B"), (place % 12 + 1, side), ((place - 2) % 12 + 1, side)}
        others = keys.matching(number, "compatible") - {keys.NO_KEY}
        assert {(int(keys.camelot(one)[:-1]), keys.camelot(one)[-1]) for one in others} == near
        assert {int(keys.camelot(one)[:-1]) for one in keys.matching(number, "relative")} == {place}
    assert keys.matching(keys.NO_KEY, "compatible") == {keys.NO_KEY}


def test_a_query_without_a_facet_asks_nothing_of_it() -> None:
    query = Query(
        text="x", genres=("house",), keys=(21,), bpm_min=100, bars=(4,), metres=("3/4",), tiers=("free",),
        creators=("a",), kinds=("song",), moods=("dark",), instruments=("piano",), has_stems=True, price_max=5,
    )  # fmt: skip
    for facet in query.filtered:
        assert query.without(facet).filtered == query.filtered - {facet}
        assert query.without(facet).digest != query.digest
