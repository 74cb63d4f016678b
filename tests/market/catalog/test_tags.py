"""The words of the market, and the tags that loops get by themselves and from their creators."""

from typing import Any

import pytest

from generation.request import RiffRequest
from market.catalog.tags import MAX_TAGS, Tag, automatic, heard_as, of_creator
from market.catalog.vocabulary import KINDS, canonical, mentioned, normal, vocabulary
from tests.market.catalog.conftest import Shop


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("dnb", ("genre", "drum and bass")),
        ("Drum & Bass", ("genre", "drum and bass")),
        ("D&B", ("genre", "drum and bass")),
        ("lo-fi", ("genre", "lofi")),
        ("Hip-Hop", ("genre", "hip hop")),
        ("rhodes", ("instrument", "electric piano")),
        ("piano eléctrico", ("instrument", "electric piano")),
        ("batería", ("instrument", "drum kit")),
        ("guitarra", ("instrument", "guitar")),
        ("cálido", ("mood", "warm")),
        ("lluvia", ("texture", "rain")),
        ("nonsense", None),
        ("", None),
        ("'; DROP TABLE", None),
    ],
)
def test_what_people_say_has_a_plain_name(word: str, known: tuple[str, str] | None) -> None:
    assert canonical(word) == known


def test_every_word_means_itself() -> None:
    words = vocabulary()
    assert {word.kind for word in words} == set(KINDS)
    assert len({(word.kind, word.value) for word in words}) == len(words)
    for word in words:
        assert canonical(word.value) == (word.kind, word.value)
        assert {canonical(alias) for alias in word.aliases} <= {(word.kind, word.value)}
        assert normal(word.value)


def test_a_sentence_mentions_what_it_names_and_does_not_deny() -> None:
    said = "Warm rhodes over dusty drums, no bass, rain in the background; lofi hip hop sin batería"
    assert mentioned(said) == [
        ("mood", "warm"),
        ("instrument", "electric piano"),
        ("instrument", "lofi drums"),
        ("texture", "rain"),
        ("genre", "lofi"),
    ]


def recipe(prompt: str, **more: Any) -> dict[str, Any]:
    return {"request": RiffRequest.parse(prompt=prompt, seed=1, **more).to_dict()}


def test_what_was_asked_for_and_what_is_heard_become_tags() -> None:
    heard = [
        *heard_as("genre", [("lofi", 0.9), ("jazz", 0.6), ("techno", 0.3)]),
        *heard_as("instrument", [("rhodes", 0.7), ("fm electric piano", 0.6), ("finger bass", 0.55)]),
    ]
    found = automatic(recipe("(warm:1.3) lofi with rhodes", negative_prompt="warm, techno"), heard)
    assert found == [
        Tag("genre", "lofi", 0.98, "recipe"),
        Tag("genre", "jazz", 0.6, "audio"),
        Tag("instrument", "electric piano", 0.94, "recipe"),
        Tag("instrument", "bass guitar", 0.55, "audio"),
    ]
    layers = recipe("funk", arrangement={"kind": "layers", "drums": "", "bass": "slap bass"})
    assert {tag.value for tag in automatic(layers)} == {"funk", "drums", "slap bass", "bass"}
    morphed = recipe("church bells", arrangement={"kind": "morph", "prompts": ["techno"], "loops": 3})
    assert [(tag.value, tag.confidence) for tag in automatic(morphed)] == [
        ("techno", 0.4),
        ("church bells", 0.8),
    ]


def test_a_creators_words_are_put_under_their_plain_names_once() -> None:
    assert of_creator(["DnB", "drum and bass", "  My  Own Word ", ""]) == [
        Tag("genre", "drum and bass", 1.0, "creator"),
        Tag("tag", "my own word", 1.0, "creator"),
    ]


async def test_a_creators_tags_are_the_last_word(shop: Shop) -> None:
    published = (await shop.publish()).json()["listing"]
    found = {tag["value"]: tag for tag in published["tags"]}
    assert {"church bells", "synth pad"} <= set(found)
    assert found["church bells"]["origin"] == "recipe"
    assert len(published["tags"]) <= MAX_TAGS

    path = f"/v1/loops/{shop.loop.id}/listing"
    chosen = await shop.http.patch(
        path, json={"tags": ["church bells", "Sunday", "lo-fi"]}, headers=shop.ada.headers
    )
    assert [(tag["kind"], tag["value"], tag["origin"]) for tag in chosen.json()["tags"]] == [
        ("genre", "lofi", "creator"),
        ("instrument", "church bells", "recipe"),
        ("tag", "sunday", "creator"),
    ]
    off = await shop.http.post(f"/v1/loops/{shop.loop.id}/delist", headers=shop.ada.headers)
    assert off.json()["tags"] == chosen.json()["tags"]
    assert (await shop.publish()).json()["listing"]["tags"] == chosen.json()["tags"]
    again = await shop.http.patch(path, json={"tags": None}, headers=shop.ada.headers)
    assert again.json()["tags"] == published["tags"]


async def test_the_vocabulary_is_public(shop: Shop) -> None:
    words = (await shop.http.get("/v1/tags")).json()["tags"]
    [drums] = [word for word in words if word["value"] == "drum and bass"]
    assert drums["kind"] == "genre"
    assert {"dnb", "jungle", "d&b"} <= set(drums["aliases"])
