"""Words, facets, orders and stretches: the same on both databases, and on both ways through them."""

from typing import Any

import pytest

from market.db import Database
from market.search import seed
from market.search import service as search
from market.search.document import Document
from market.search.errors import ForeignCursor
from market.search.facets import price_of
from market.search.keys import number_of
from market.search.query import Query, in_primary, text_clauses
from market.search.service import LIMITS, Limits
from market.search.words import terms_of
from market.settings import Settings
from tests.market.search.conftest import MANY, document, found, ids_of, put

LOOPS = 300
QUERIES: list[dict[str, Any]] = [
    {},
    {"text": "piano"},
    {"text": "warm piano"},
    {"text": "piano", "genres": ("soul", "techno")},
    {"text": "piano", "moods": ("dark", "calm"), "has_stems": False},
    {"text": "lantern", "sort": "price"},
    {"text": "strings", "sort": "rating"},
    {"sort": "new", "kinds": ("song", "piece")},
    {"sort": "popular", "tags": ("vlog",)},
    {"sort": "price_desc", "tiers": ("business",), "bars": (2, 8)},
    {"keys": (21,)},
    {"keys": (21,), "key_match": "relative"},
    {"keys": (21,), "key_match": "compatible", "bpm_min": 100.0, "bpm_max": 124.0},
    {"bpm_min": 140.0, "related_bpm": True},
    {"price_max": 0},
    {"price_min": 600, "price_max": 1200, "metres": ("3/4", "6/8")},
    {"text": "for vlogs and travel films"},
]


def plainly(documents: list[Document], **asked: Any) -> list[Document]:
    """What a query finds, by reading everything."""
    query = Query(**asked)

    def fits(one: Document) -> bool:
        given = {
            "genres": one.genres, "moods": one.moods, "instruments": one.instruments, "tags": one.tags,
            "tiers": one.tiers, "kinds": (one.kind,), "bars": (one.bars,), "metres": (one.metre,),
            "creators": (one.creator_id,),
        }  # fmt: skip
        return (
            all(
                not getattr(query, name) or set(getattr(query, name)) & set(values)
                for name, values in given.items()
            )
            and (not query.keys or number_of(one.key) in query.all_keys)
            and (not query.tempos or any(low <= one.bpm <= high for low, high in query.tempos))
            and (query.prices is None or query.prices[0] <= price_of(one) <= query.prices[1])
            and (query.has_stems is None or query.has_stems == one.has_stems)
        )

    def says(one: Document, clauses: tuple[tuple[str, ...], ...]) -> bool:
        return all(lexemes[one.loop_id] & set(clause) for clause in clauses)

    def place(one: Document) -> tuple[float, ...]:
        published = round(one.published_at.timestamp() * 1e6)
        liked = search.liked_of(one.popularity, one.rating, one.rating_count, published)
        in_title = query.sort == "relevance" and says(one, in_primary(clauses))
        key: dict[str, float] = {
            "relevance": -liked["score"], "new": -published, "popular": -liked["popularity"],
            "rating": -liked["rating"], "price": price_of(one), "price_desc": -price_of(one),
        }  # fmt: skip
        number = documents.index(one)
        return (not in_title, key[query.sort], number if query.sort == "price" else -number)

    clauses = text_clauses(terms_of(query.text))
    lexemes = {one.loop_id: search.lexemes_of(one, search.vocabulary_of(one)) for one in documents}
    return sorted((one for one in documents if fits(one) and says(one, clauses)), key=place)


@pytest.fixture
def invented(settings: Settings) -> list[Document]:
    """Some hundreds of loops, written by the seeding command."""
    seed.seed(settings, LOOPS)
    return list(seed.Inventor(0, 10).loops(0, LOOPS))


async def test_it_finds_what_a_plain_reading_finds(database: Database, invented: list[Document]) -> None:
    sizes = []
    for asked in QUERIES:
        expected = ids_of(plainly(invented, **asked))
        for limits in (LIMITS, MANY, Limits(exact=48, small=0)):
            assert await found(database, limits, **asked) == expected, (asked, limits)
        sizes.append(len(expected))
    # Each of them is a test: none finds nothing.
    assert min(sizes) > 0


async def test_facets_are_what_is_counted(database: Database, invented: list[Document]) -> None:
    for asked in QUERIES:
        query = Query(**asked)
        async with database.read() as session:
            counted = await search.facet_counts(session, query)
        assert (counted.total, counted.exact) == (len(plainly(invented, **asked)), True), asked
        for facet, name in (
            ("genre", "genres"),
            ("mood", "moods"),
            ("key", "keys"),
            ("kind", "kinds"),
            ("bars", "bars"),
        ):
            # Whatever is asked of the facet itself does not narrow it.
            fitting = plainly(invented, **{key: value for key, value in asked.items() if key != name})
            expected: dict[str, int] = {}
            for one in fitting:
                values: dict[str, tuple[object, ...]] = {
                    "genre": one.genres, "mood": one.moods, "key": (one.key or "none",), "kind": (one.kind,),
                    "bars": (one.bars,),
                }  # fmt: skip
                for value in values[facet]:
                    expected[str(value)] = expected.get(str(value), 0) + 1
            shown = {value.value: value.count for value in counted.facets[facet].values}
            assert len(shown) == min(len(expected), 40), (asked, facet)
            assert shown == {value: expected[value] for value in shown}, (asked, facet)
            if facet != "bars":
                assert min(shown.values(), default=0) >= max(
                    (count for value, count in expected.items() if value not in shown), default=0
                )


async def test_many_are_estimated_from_the_sample_and_said_to_be(
    database: Database, invented: list[Document]
) -> None:
    in_sample = [one for one in invented if search.in_sample(one.loop_id)]
    assert 5 < len(in_sample) < 40
    for asked in ({}, {"text": "piano"}, {"genres": ("soul",), "text": "piano"}):
        async with database.read() as session:
            counted = await search.facet_counts(session, Query(**asked), limits=MANY)
        expected = 16 * len(plainly(in_sample, **asked))
        assert not counted.exact
        assert counted.total == pytest.approx(expected, rel=0.05)
        assert not any(facet.exact for facet in counted.facets.values())
        kinds = {value.value: value.count for value in counted.facets["kind"].values}
        assert sum(kinds.values()) == pytest.approx(expected, rel=0.1)


async def test_of_a_large_sample_a_part_is_counted(database: Database, invented: list[Document]) -> None:
    limits = Limits(exact=1, small=0, sampled=10)
    part = [one for seq, one in enumerate(invented, 1) if search.in_sample(one.loop_id) and seq % 2 == 0]
    async with database.read() as session:
        counted = await search.facet_counts(session, Query(), limits=limits)
    assert not counted.exact
    assert counted.total == pytest.approx(32 * len(part), rel=0.05)


async def test_what_is_misspelt_is_found_and_said(database: Database) -> None:
    loops = [
        document(0, title="Quiet piano", instruments=("piano",)),
        document(1, title="Saxophone street", instruments=("saxophone",)),
        document(2, title="Church bells"),
        document(3, title="Überall Фортепиано"),
    ]
    await put(database, *loops)

    async def asked(text: str, literal: bool = False) -> tuple[list[str], str | None, tuple[str, ...]]:
        async with database.read() as session:
            page = await search.search(session, Query(text=text, literal=literal))
        return [one.title for one in loops if one.loop_id in page.loop_ids], page.corrected, page.ignored

    assert await asked("piano") == (["Quiet piano"], None, ())
    for wrong in ("paino", "pianno", "pino", "piamo"):
        assert await asked(wrong) == (["Quiet piano"], "piano", ()), wrong
    assert await asked("quiet PAINO!") == (["Quiet piano"], "quiet piano", ())
    assert await asked("saxaphne") == (["Saxophone street"], "saxophone", ())
    assert await asked("churchbells") == (["Church bells"], "church bells", ())
    assert await asked("bell") == (["Church bells"], None, ())
    assert await asked("uberall фортепиано") == (["Überall Фортепиано"], None, ())
    assert await asked("фортепьяно") == (["Überall Фортепиано"], "фортепиано", ())
    assert await asked("piano zzzzzz") == (["Quiet piano"], None, ("zzzzzz",))
    assert await asked("zzzzzz") == ([], None, ("zzzzzz",))
    assert await asked("paino", literal=True) == ([], None, ())
    assert await asked("church piano") == ([], None, ())


async def test_hyphens_do_not_matter(database: Database) -> None:
    await put(
        database,
        document(0, title="Lo-fi night"),
        document(1, title="Lofi day"),
        document(2, title="Lo and fi"),
    )
    assert set(await found(database, text="lo-fi")) == set(ids_of(document(number) for number in range(3)))
    assert set(await found(database, text="lofi")) == set(ids_of(document(number) for number in range(2)))


async def test_tags_are_found_by_all_their_names(database: Database) -> None:
    await put(database, document(0, genres=("drum and bass",)), document(1, genres=("hip hop",), title="Rap"))
    assert await found(database, text="dnb") == [document(0).loop_id]
    for name in ("hiphop", "hip-hop", "rap", "hip hop"):
        assert await found(database, text=name) == [document(1).loop_id], name


async def test_titles_and_tags_come_before_what_is_said_elsewhere(database: Database) -> None:
    in_text = document(0, description="with a harp", popularity=1e6)
    in_tag = document(1, instruments=("harp",))
    in_title = document(2, title="Harp")
    await put(database, in_text, in_tag, in_title)
    for limits in (LIMITS, MANY):
        assert await found(database, limits, text="harp") == ids_of([in_title, in_tag, in_text])


async def test_stretches_stay_as_they_are_while_loops_come_and_go(database: Database) -> None:
    loops = [document(number, title="bell") for number in range(10)]
    await put(database, *loops)
    query = Query(text="bell", sort="new")
    for limits in (LIMITS, MANY):
        async with database.read() as session:
            first = await search.search(session, query, limit=4, limits=limits)
        assert first.loop_ids == ids_of(reversed(loops[6:]))
        await put(database, document(11, title="bell"))
        async with database.write() as session:
            await search.drop(session, loops[7].loop_id)
        async with database.read() as session:
            second = await search.search(session, query, limit=20, cursor=first.next_cursor, limits=limits)
        assert (second.loop_ids, second.next_cursor) == (ids_of(reversed(loops[:6])), None)
        await put(database, loops[7])
        async with database.write() as session:
            await search.drop(session, document(11).loop_id)


async def test_a_cursor_belongs_to_its_search(database: Database) -> None:
    await put(database, *(document(number, title="bell") for number in range(3)))
    async with database.read() as session:
        page = await search.search(session, Query(text="bell"), limit=2)
        assert page.next_cursor is not None
        for query, cursor in (
            (Query(text="bells"), page.next_cursor),
            (Query(text="bell", sort="new"), page.next_cursor),
            (Query(text="bell"), page.next_cursor[:-4]),
            (Query(text="bell"), "nonsense"),
            (Query(text="bell"), "ß"),
            (Query(text="bell"), ""),
            (Query(text="bell"), "W" * 10_000),
        ):
            with pytest.raises(ForeignCursor, match="next_cursor"):
                await search.search(session, query, cursor=cursor)


@pytest.mark.parametrize("sort", ["relevance", "new", "price"])
async def test_a_cursor_with_made_up_numbers_is_refused(database: Database, sort: Any) -> None:
    query = Query(sort=sort)
    digest = query.digest
    async with database.read() as session:
        for place, key, seq in [
            (0, "x", 1), (0, 1e400, 1), (0, 10**30, 1), (0, True, 1), (0, None, 1), (2, 1, 1), (-1, 1, 1), (0, 1, -1),
            (0, 1, 2**63), (0, 1, 1.5), (0, [1], 1), ({}, 1, 1),
        ]:  # fmt: skip
            made_up = search.packed([digest, place, key, seq])
            with pytest.raises(ForeignCursor):
                await search.search(session, query, cursor=made_up)


async def test_suggestions(database: Database) -> None:
    await put(
        database,
        document(0, title="Warm piano", genres=("drum and bass",), creator_handle="pianissima"),
        document(1, title="Piano pianist", instruments=("piano",), creator_handle="pianissima"),
        document(2, title="Piano", creator_handle="pianissima"),
    )

    async def asked(text: str) -> list[tuple[str, str]]:
        async with database.read() as session:
            return [(one.text, one.kind) for one in await search.suggest(session, text)]

    assert await asked("pia") == [("piano", "instrument"), ("pianissima", "creator"), ("pianist", "word")]
    assert await asked("warm pi") == [("warm piano", "word"), ("warm pianist", "word")]
    assert await asked("Drum a") == [("drum and bass", "genre")]
    assert await asked("pinao") == [("piano", "word")]
    for nothing in ("", " ", "'", "\x00", "%", "🎹", "zzzz"):
        assert await asked(nothing) == []
