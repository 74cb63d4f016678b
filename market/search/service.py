"""How a published loop is found: by words and facets, by sound, and by what it goes with.

Everything is in the database; a search holds nothing between requests. How many loops match is learnt from a fixed
sample, and decides between the two ways through the entries (repository.py) and between counting facets exactly and
estimating them.
"""

import base64
import binascii
import hashlib
import itertools
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from market.errors import NotFound
from market.search import cells, facets, repository
from market.search.cells import Vectors
from market.search.document import Document
from market.search.errors import ForeignCursor, NotHeard
from market.search.facets import FACETS, Tally
from market.search.keys import NO_KEY, camelot, matching, name_of, number_of
from market.search.models import SAMPLE, SearchEntry, SearchValue
from market.search.query import Clause, Match, Query, in_primary, key_mark, match_of, tag_of, text_clauses
from market.search.repository import ORDERS, Hit
from market.search.words import (
    MAX_DESCRIPTION_WORDS,
    distance,
    distinct,
    farthest,
    folded,
    lexeme_of,
    mark,
    primary,
    printed,
    rests_of,
    slug_of,
    splits_of,
    terms_of,
    unfinished,
    words_of,
)

# Votes that every loop is taken to have, at the middle of the scale, before its first.
PRIOR_VOTES, PRIOR_RATING = 5, 3.5
# A loop that is this much younger stands as if it were twice as popular.
FRESHNESS_DAYS = 90
# Changes of popularity that order nothing are not written: each write is one to every index.
STIR = 0.02
MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on many are many: up to `exact` matches are all looked at, and catalogues up to `small` as a whole.

    `sampled` is about how many of the sample are counted at most, `candidates` how many embeddings are compared.
    """

    exact: int = 4000
    small: int = 8000
    sampled: int = 16_000
    candidates: int = 12_000


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Understood:
    """The text of a search as it was read: `corrected` where it was spelt otherwise, `ignored` is known nowhere.

    About `loops` loops have its rarest word, where that is known.
    """

    clauses: tuple[Clause, ...]
    loops: int | None = None
    corrected: str | None = None
    ignored: tuple[str, ...] = ()
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of what a search finds; `next_cursor` is None at its end."""

    loop_ids: list[str]
    next_cursor: str | None
    corrected: str | None
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A value of a facet: `value` is what to ask for, `label` what a person reads."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one facet among what a search finds; estimates where not `exact`."""

    exact: bool
    values: list[Shown]


@dataclass(frozen=True, slots=True)
class Facets:
    """How many loops a search finds, and how they are spread."""

    total: int
    exact: bool
    facets: dict[str, Facet]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How a text could go on. `kind` is word, genre, mood, instrument, tag or creator."""

    text: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Near:
    """A loop that sounds alike; `similarity` is the cosine of the embeddings."""

    loop_id: str
    similarity: float


# --- what is in it


async def put(session: AsyncSession, document: Document) -> None:
    """Let a published loop be found, or be found as it is now, from this transaction's commit on.

    A document that says nothing of how the loop is liked leaves that as it was.
    """
    before = await repository.hold(session, document.loop_id)
    old_words = before.words if before is not None else frozenset()
    vocabulary = vocabulary_of(document)
    lexemes = lexemes_of(document, vocabulary)
    ids = await _numbers_of(session, document, old_words)
    cell = cells.cell_of(await cells.middles(session, held=True), document.embedding)
    record = facets.record_of(document, ids)
    place = {
        "bpm": document.bpm,
        "price": facets.price_of(document),
        "words": sorted(lexemes),
        "facets": record,
    }
    liked = _liked(document, before)
    given = {
        "loop_id": document.loop_id,
        "cell": cell,
        "published": _microseconds(document),
        **place,
        **liked,
    }
    old_cell = before.cell if before is not None else None
    seq = await repository.write_entry(session, given)
    if in_sample(document.loop_id):
        await repository.write_sample(session, {"seq": seq, **place})
    if old_cell != cell:
        if old_cell is not None:
            await repository.delete_vector(session, old_cell, seq)
        await _count_cells(session, {old_cell: -1, cell: 1})
    if document.embedding is not None:
        await repository.write_vector(session, cell, seq, document.embedding)
    await _learn(session, document.loop_id, vocabulary, old_words)
    await _forget(session, document.loop_id, old_words - lexemes)


async def drop(session: AsyncSession, loop_id: str) -> None:
    """Let a loop be found no more; one that is not known is no error."""
    entry = await repository.hold(session, loop_id)
    if entry is None:
        return
    await repository.delete_vector(session, entry.cell, entry.seq)
    await repository.delete_entry(session, entry.seq)
    await _count_cells(session, {entry.cell: -1})
    await _forget(session, loop_id, entry.words)
    session.expunge(entry)


async def rescore(
    session: AsyncSession, loop_id: str, popularity: float, rating: float, rating_count: int
) -> None:
    """Note how a loop is liked; one that is not known is no error."""
    entry = await repository.hold(session, loop_id)
    if entry is None:
        return
    liked = liked_of(popularity, rating, rating_count, entry.published)
    moved = abs(liked["popularity"] - entry.popularity) > STIR * entry.popularity
    if moved or entry.rating_count != rating_count or entry.rating != liked["rating"]:
        await repository.rescore(session, entry.seq, liked)


def in_sample(loop_id: str) -> bool:
    """Whether a loop is one of those that are counted for all."""
    return _hash(loop_id) % SAMPLE == 0


def vocabulary_of(document: Document) -> dict[str, list[str]]:
    """The words of a loop: those of its "primary" texts, title and tags, and of its "other" ones."""
    tags = (*document.genres, *document.moods, *document.instruments, *document.tags)
    description = distinct(words_of(document.description), MAX_DESCRIPTION_WORDS)
    return {
        "primary": list(dict.fromkeys(words_of(" . ".join((document.title, *tags))))),
        "other": list(dict.fromkeys((*words_of(document.prompt), *description))),
    }


def lexemes_of(document: Document, vocabulary: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """All that a loop can be found by: its words' lexemes, and marks for its facets."""
    first = {lexeme_of(word) for word in vocabulary["primary"]}
    marks = {
        key_mark(number_of(document.key)),
        f"b={document.bars}",
        mark("r", document.metre),
        mark("c", document.creator_id),
        mark("y", document.kind),
        f"s={int(document.has_stems)}",
        *(mark("l", tier) for tier in document.tiers),
        *(mark("g", value) for value in document.genres),
        *(mark("m", value) for value in document.moods),
        *(mark("i", value) for value in document.instruments),
        *(mark("t", value) for value in document.tags),
    }
    rest = {lexeme_of(word) for word in vocabulary["other"]}
    return frozenset(first | rest | {primary(lexeme) for lexeme in first} | marks)


def liked_of(popularity: float, rating: float, rating_count: int, published: int) -> dict[str, Any]:
    """What a loop is sorted by: its own figures, and the score of how it is liked and how young it is."""
    mean = (PRIOR_VOTES * PRIOR_RATING + rating_count * rating) / (PRIOR_VOTES + rating_count)
    score = _score(popularity, mean, published)
    return {"popularity": popularity, "rating": mean, "rating_count": rating_count, "score": score}


def step_of(count: int) -> int:
    """By how much a count grows at a time, for one loop in so many (Morris, 1978).

    What is said of thousands of loops is counted by few of them, so that publishing does not wait for a row that
    everybody writes to; the count is right to about a tenth.
    """
    return 1 << max(0, count.bit_length() - 7)


# --- words and facets


async def search(
    session: AsyncSession,
    query: Query,
    *,
    limit: int = 24,
    cursor: str | None = None,
    limits: Limits = LIMITS,
) -> Found:
    """The loops that a query finds, `limit` at a time. Raises ForeignCursor.

    By relevance, loops that say it in their title or tags come before those that say it elsewhere, and each part is
    in the order of how its loops are liked.
    """
    await repository.tune(session)
    order = ORDERS[query.sort]
    first, after = (0, None) if cursor is None else _read_cursor(cursor, query)
    understood = await understand(session, query)
    if understood.hopeless:
        return Found([], None, None, understood.ignored)
    parts = _parts(query, understood.clauses)
    there = await repository.loops(session)
    hits: list[tuple[int, Hit]] = []
    for place in range(first, len(parts)):
        want = limit + 1 - len(hits)
        part = await _first_of(session, parts[place], order, after, want, there, limits)
        hits += [(place, hit) for hit in part]
        if len(hits) > limit:
            break
        after = None
    shown = hits[:limit]
    next_cursor = None
    if len(hits) > limit:
        place, last = shown[-1]
        next_cursor = packed([query.digest, place, last.key, last.seq])
    return Found([hit.loop_id for _, hit in shown], next_cursor, understood.corrected, understood.ignored)


async def facet_counts(session: AsyncSession, query: Query, *, limits: Limits = LIMITS) -> Facets:
    """How many loops a query finds, and how they are spread over the facets.

    Up to some thousands of matches everything is counted; beyond, it is estimated from the sample.
    """
    await repository.tune(session)
    understood = await understand(session, query)
    if understood.hopeless:
        return Facets(0, True, {facet: Facet(True, []) for facet in FACETS})
    text = understood.clauses
    sample, stands_for, masks = None, SAMPLE, dict[str, facets.Mask]()
    there = await repository.loops(session)
    if there > limits.small:
        tags = (query.marks["tag"],) if query.tags else ()
        while min(there, understood.loops or there) > limits.sampled * stands_for:
            stands_for *= 2
        sample = _records(
            await repository.sample_records(session, Match((*text, *tags)), stands_for // SAMPLE)
        )
        ids = {
            (value.kind, value.value): value.id for value in await repository.values(session, _slugs(query))
        }
        masks = facets.masks_of(sample, query, ids)

    async def fitting(without: str = "") -> tuple[facets.Records, int]:
        """The records to count, and how many loops each of them stands for."""
        if sample is not None:
            chosen = sample[facets.fitting(masks, len(sample), without)]
            if len(chosen) and len(chosen) * stands_for >= limits.exact:
                return chosen, stands_for
        wider = query.without(without) if without else query
        # Four times what was expected: the estimate is that good in all but one of very many searches.
        found = await repository.entry_records(
            session, match_of(wider, text), 4 * max(limits.exact, limits.small)
        )
        return _records(found), 1

    all_of_it = await fitting()
    spread: dict[str, tuple[list[Tally], int]] = {}
    for facet in FACETS:
        records, weight = await fitting(facet) if facet in query.filtered else all_of_it
        spread[facet] = facets.tallies(records, facet), weight
    numbers = {tally.value for found, _ in spread.values() for tally in found if isinstance(tally.value, int)}
    named = await repository.values_numbered(
        session, [number for number in numbers if isinstance(number, int)]
    )
    return Facets(
        _scaled(len(all_of_it[0]), all_of_it[1]),
        all_of_it[1] == 1,
        {
            facet: Facet(weight == 1, [_shown(facet, tally, weight, named) for tally in found])
            for facet, (found, weight) in spread.items()
        },
    )


async def suggest(session: AsyncSession, text: str, *, limit: int = 8) -> list[Suggestion]:
    """How a text that somebody is typing could go on."""
    plain = " ".join(folded(text[:80]).split())
    head, last = unfinished(plain)
    if not head and not last:
        return []
    found: dict[str, Suggestion] = {}
    values = await repository.values_beginning(session, plain, 4 * limit)
    # Creators are many, and seldom what is looked for.
    for value in sorted(values, key=lambda value: value.kind == "creator")[: limit // 2]:
        found.setdefault(value.folded, Suggestion(value.label, value.kind, value.label))
    if last and len(found) < limit:
        words = [row for row in await repository.words_beginning(session, last, limit) if row.loops > 0]
        if not words and not found:
            words = [word] if (word := await _respelt(session, last)) is not None else []
        for row in words:
            found.setdefault(head + row.word, Suggestion(head + row.word, "word", row.word))
    return list(found.values())[:limit]


async def understand(session: AsyncSession, query: Query) -> Understood:
    """The words of a search: known ones as they are, others as they were probably meant, or not at all."""
    terms = terms_of(query.text)
    if not terms:
        return Understood(())
    if query.literal:
        return Understood(text_clauses(terms))
    forms = {lexeme_of(form) for term in terms for form in (*term, "".join(term))}
    known = await repository.known(session, forms)
    kept: list[tuple[str, ...]] = []
    said: list[str] = []
    ignored: list[str] = []
    corrected = False
    for term in terms:
        said_whole = lexeme_of("".join(term)) in known or tag_of(term) is not None
        if said_whole or all(lexeme_of(part) in known for part in term):
            kept.append(term)
            said.append("-".join(term))
            continue
        meant = [word for part in term for word in await _meant(session, part, known)]
        if meant:
            kept.extend((word,) for word in meant)
            said.extend(meant)
            corrected = True
        else:
            ignored.append("-".join(term))
    clauses = text_clauses(kept)
    counts = [sum(known.get(lexeme, 0) for lexeme in clause) for clause in clauses]
    loops = min(counts) if counts and all(counts) else None
    return Understood(
        clauses, loops, " ".join(said) if corrected else None, tuple(ignored), hopeless=not kept
    )


# --- sounds


async def similar(
    session: AsyncSession, loop_id: str, *, limit: int = 12, limits: Limits = LIMITS
) -> list[Near]:
    """The loops that sound most like this one. Raises NotFound and NotHeard."""
    entry = await _entry(session, loop_id)
    embedding = (await repository.embeddings(session, [(entry.cell, entry.seq)])).get(entry.seq)
    if embedding is None:
        raise NotHeard(loop_id)
    return await similar_to(
        session, cells.vectors_of(embedding)[0], limit=limit, without=entry.seq, limits=limits
    )


async def similar_to(
    session: AsyncSession, vector: Vectors, *, limit: int = 12, without: int = -1, limits: Limits = LIMITS
) -> list[Near]:
    """The loops whose embeddings are nearest to a (64,) unit vector, as far as the nearest cells have them."""
    await repository.tune(session)
    counts = await repository.cells(session)
    chosen = cells.nearest(await cells.middles(session), vector, counts, limits.candidates)
    if not chosen:
        return []
    there = np.frombuffer(await repository.in_cells(session, chosen, 4 * limits.candidates), cells.RECORD)
    # Stored ones are of length 127, give or take their rounding: enough to choose by, not to tell a person.
    rough = there["embedding"].astype(np.float32) @ vector
    chosen_few = there[np.argpartition(-rough, min(4 * limit, len(rough) - 1))[: 4 * limit]]
    cosines = cells.unit(chosen_few["embedding"]) @ vector
    order = np.lexsort((chosen_few["seq"], -cosines)).tolist()
    best = {
        int(chosen_few["seq"][at]): float(cosines[at]) for at in order if chosen_few["seq"][at] != without
    }
    best = dict(itertools.islice(best.items(), limit))
    names = {entry.seq: entry.loop_id for entry in await repository.placed(session, best)}
    return [Near(names[seq], round(min(cosine, 1.0), 4)) for seq, cosine in best.items() if seq in names]


async def goes_with(
    session: AsyncSession, loop_id: str, *, limit: int = 12, limits: Limits = LIMITS
) -> list[str]:
    """Loops to play together with this one: on the same grid, in a key that goes with its key. Raises NotFound.

    Those with other instruments come first, then those that sound most like it.
    """
    await repository.tune(session)
    entry = await _entry(session, loop_id)
    record = _records(entry.facets)[0]
    every: list[Clause] = [("y=loop",), tuple(word for word in entry.words if word.startswith("r="))]
    if record["key"] != NO_KEY:
        every.append(tuple(key_mark(number) for number in sorted(matching(int(record["key"]), "compatible"))))
    tempos = tuple((entry.bpm * factor * 0.99, entry.bpm * factor * 1.01) for factor in (1.0, 0.5, 2.0))
    there = await repository.loops(session)
    match = Match(tuple(every), (), tempos)
    hits = await _first_of(session, match, ORDERS["relevance"], None, 5 * limit + 1, there, limits)
    placed = await repository.placed(session, [entry.seq, *(hit.seq for hit in hits)])
    heard = await repository.embeddings(session, [(one.cell, one.seq) for one in placed])
    vectors = {seq: cells.vectors_of(embedding)[0] for seq, embedding in heard.items()}
    played = {one.seq: set(_records(one.facets)[0]["instrument"].tolist()) - {0} for one in placed}

    def fits(other: repository.Placed) -> tuple[int, float, int]:
        alike = 0.0
        if entry.seq in vectors and other.seq in vectors:
            alike = float(vectors[other.seq] @ vectors[entry.seq])
        return len(played[other.seq] & played[entry.seq]), -alike, other.seq

    others = [one for one in placed if one.seq != entry.seq]
    return [other.loop_id for other in sorted(others, key=fits)[:limit]]


# --- how


def _parts(query: Query, text: tuple[Clause, ...]) -> list[Match]:
    """What to look for one after the other: by relevance, first in titles and tags."""
    if query.sort != "relevance" or not text:
        return [match_of(query, text)]
    first = in_primary(text)
    return [match_of(query, first), match_of(query, text, unless=first)]


async def _first_of(
    session: AsyncSession,
    match: Match,
    order: repository.Order,
    after: tuple[float, int] | None,
    want: int,
    there: int,
    limits: Limits,
) -> list[Hit]:
    """The first matches after an entry, on the way that is shorter."""
    if there > limits.small:
        enough = max(2 * limits.exact // SAMPLE, 64)
        seen = await repository.count_sample(session, match, enough)
        # The entries that stand first are read by everybody, and so at hand; those of a look-up are anywhere.
        if seen and 2 * seen * SAMPLE >= limits.exact:
            # Four times as far as they would reach if spread evenly; a look-up sees to the rest.
            rows = 4 * want * there // (seen * SAMPLE) + 4 * want
            hits = await repository.scan(session, match, order, after, rows, want)
            if len(hits) == want:
                return hits
    return await repository.look_up(session, match, order, after, want)


async def _meant(session: AsyncSession, word: str, known: Mapping[str, int]) -> list[str]:
    """The words that a person probably meant by one that is not known; none where nothing is near."""
    if lexeme_of(word) in known:
        return [word]
    if (meant := await _respelt(session, word)) is not None:
        return [meant.word]
    splits = splits_of(word)
    halves = await repository.words(session, {half for split in splits for half in split})
    loops = {row.word: row.loops for row in halves}
    whole = [split for split in splits if all(half in loops for half in split)]
    if whole:
        return list(max(whole, key=lambda split: min(loops[half] for half in split)))
    if len(word) < 5:
        return []
    far = _nearest_word(word, await repository.sounding_like(session, word, 400), farthest(word))
    return [] if far is None else [far.word]


async def _respelt(session: AsyncSession, word: str) -> repository.Spelt | None:
    if len(word) < 3:
        return None
    return _nearest_word(word, await repository.spelt_like(session, rests_of(word)), min(2, farthest(word)))


def _nearest_word(word: str, candidates: Iterable[repository.Spelt], limit: int) -> repository.Spelt | None:
    """The word at the fewest edits, of several the one that more loops have; people seldom miss the first letter."""
    ranked = [
        (away, row.word[0] != word[0], -row.loops, row.word, row)
        for row in candidates
        if len(row.word) > 2 and (away := distance(word, row.word, limit)) <= limit
    ]
    return min(ranked)[-1] if ranked else None


async def _entry(session: AsyncSession, loop_id: str) -> SearchEntry:
    entry = await repository.entry(session, loop_id) if _is_plain(loop_id) else None
    if entry is None:
        raise NotFound("published loop", loop_id)
    return entry


async def _numbers_of(
    session: AsyncSession, document: Document, old_words: Collection[str]
) -> dict[tuple[str, str], int]:
    """The numbers of a loop's values by kind and slug; new values get one, and all are counted."""
    given = {
        "genre": document.genres,
        "mood": document.moods,
        "instrument": document.instruments,
        "tag": document.tags,
    }
    labels = {(kind, slug_of(value)): printed(value) for kind, values in given.items() for value in values}
    handle = labels["creator", slug_of(document.creator_id)] = printed(document.creator_handle)
    slugs = {slug for _, slug in labels}
    rows = {(row.kind, row.value): row for row in await repository.values(session, slugs)}
    fresh = [
        {"kind": kind, "value": slug, "label": label, "folded": folded(label)[:80], "loops": 0}
        for (kind, slug), label in sorted(labels.items())
        if (kind, slug) not in rows
    ]
    if fresh:
        await repository.add_values(session, fresh)
        rows = {(row.kind, row.value): row for row in await repository.values(session, slugs)}
    creator = rows["creator", slug_of(document.creator_id)]
    if creator.label != handle:
        await repository.relabel(session, creator.id, handle, folded(handle)[:80])
    told = {
        rows[name].id: rows[name].loops for name in labels if f"{_MARKS[name[0]]}={name[1]}" not in old_words
    }
    await repository.count_values(session, _changes(document.loop_id, told, 1))
    return {name: rows[name].id for name in labels}


async def _learn(
    session: AsyncSession, loop_id: str, vocabulary: Mapping[str, Sequence[str]], old_words: Collection[str]
) -> None:
    """Count a loop's words, as far as it did not have them before."""
    said = {word: lexeme_of(word) for words in vocabulary.values() for word in words}
    new = {word: lexeme for word, lexeme in said.items() if lexeme not in old_words}
    rows = await repository.words(session, new)
    unheard = {word: lexeme for word, lexeme in new.items() if word not in {row.word for row in rows}}
    added = await repository.add_words(session, unheard)
    await repository.add_spellings(
        session, sorted((rest, number) for word, number in added.items() for rest in rests_of(word))
    )
    await repository.count_words(session, _changes(loop_id, {row.id: row.loops for row in rows}, 1))


async def _forget(session: AsyncSession, loop_id: str, lexemes: Collection[str]) -> None:
    """Take back what a loop's words and values were counted for."""
    rows = await repository.words_of_lexemes(session, lexemes)
    await repository.count_words(session, _changes(loop_id, {row.id: row.loops for row in rows}, -1))
    slugs = [lexeme.partition("=")[2] for lexeme in lexemes if lexeme.partition("=")[0] in _MARKS.values()]
    told = {
        row.id: row.loops
        for row in await repository.values(session, slugs)
        if f"{_MARKS[row.kind]}={row.value}" in lexemes
    }
    await repository.count_values(session, _changes(loop_id, told, -1))


_MARKS = {"genre": "g", "mood": "m", "instrument": "i", "tag": "t", "creator": "c"}


def _changes(loop_id: str, counts: Mapping[int, int], sign: int) -> dict[int, int]:
    """Which counts a loop changes, and by how much: the same ones when it comes as when it goes."""
    steps = {number: step_of(count) for number, count in counts.items()}
    return {number: sign * step for number, step in steps.items() if _hash(f"{loop_id} {number}") % step == 0}


async def _count_cells(session: AsyncSession, changes: Mapping[int | None, int]) -> None:
    for cell in sorted(cell for cell in changes if cell is not None):
        await repository.count_cell(session, cell, changes[cell])


def _liked(document: Document, before: SearchEntry | None) -> dict[str, Any]:
    """How a loop is liked: as it was, where its document does not say."""
    published = _microseconds(document)
    if before is not None and not document.popularity and not document.rating_count:
        score = _score(before.popularity, before.rating, published)
        return {
            "popularity": before.popularity,
            "rating": before.rating,
            "rating_count": before.rating_count,
            "score": score,
        }
    return liked_of(document.popularity, document.rating, document.rating_count, published)


def _score(popularity: float, mean: float, published: int) -> float:
    days = published / 86_400e6
    return round(math.log2(1 + max(popularity, 0.0)) + 2 * (mean - PRIOR_RATING) + days / FRESHNESS_DAYS, 6)


def _microseconds(document: Document) -> int:
    return round(document.published_at.timestamp() * 1e6)


def _slugs(query: Query) -> set[str]:
    return {slug_of(value) for value in (*query.genres, *query.moods, *query.instruments, *query.creators)}


def _records(joined: bytes) -> facets.Records:
    return np.frombuffer(joined, facets.RECORD)


def _shown(facet: str, tally: Tally, weight: int, named: Mapping[int, SearchValue]) -> Shown:
    count = _scaled(tally.count, weight)
    if facet == "key":
        number = int(tally.value)
        label = "no key" if number == NO_KEY else f"{name_of(number)} ({camelot(number)})"
        return Shown(name_of(number), label, count)
    if isinstance(tally.value, str):
        return Shown(tally.value, tally.value, count)
    value = named[tally.value]
    return Shown(value.value if facet == "creator" else value.label, value.label, count)


def _scaled(count: int, weight: int) -> int:
    return count if weight == 1 else facets.rounded(count * weight)


def packed(parts: list[object]) -> str:
    """What a cursor is made of, as text that an address can hold."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _read_cursor(cursor: str, query: Query) -> tuple[int, tuple[float, int]]:
    """Where to go on: the part of the search, and the entry after which. Raises ForeignCursor."""
    try:
        digest, place, key, seq = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        kind = ORDERS[query.sort].column.type.python_type
        in_range = type(key) is kind and abs(key) < (2**31 if query.sort.startswith("price") else 2**63)
        if digest == query.digest and place in (0, 1) and in_range and type(seq) is int and 0 <= seq < 2**63:
            return place, (key, seq)
    except (binascii.Error, UnicodeError, ValueError, TypeError, RecursionError):
        pass
    raise ForeignCursor


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) <= 32
