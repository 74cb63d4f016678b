"""The gate: what a loop has to be before it can be sold, measured in its sound and looked up among all others.

`listen` measures a sound once, in a thread and outside of any transaction; `checks` judges what was measured and asks
the database. Every check says what it found and what the limit is, whether it passed or not. A check that only warns
never keeps a loop out: its ruler is wrong too often for that.
"""

import asyncio
import io
import math
import wave
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from generation.audio.ffmpeg import FfmpegFailed
from generation.audio.loudness import loudness, true_peak
from generation.audio.pcm import audio_of
from generation.embedding import embed_audio
from generation.embedding import heard as heard_in
from generation.embedding.originality import TOO_NEAR, Originality, originality
from generation.errors import InvalidRequest, UnreadableAudio
from generation.request import METRES, SAMPLE_RATE, TONICS, Key, samples_of
from market.catalog import fingerprint as prints
from market.catalog import repository
from market.catalog.models import Loop
from market.catalog.tags import Tag, heard_as
from market.licensing import tiers
from market.moderation import words
from market.search import service as search
from market.storage import Storage

Sound = NDArray[np.float32]

# Of a song, tempo, key and character are measured on so much from its middle.
_LONGEST_SECONDS = 60
_REMEMBERED = 128
_CLIPPED_RUN = 4
# A piece or a song is held against the training corpus in so many stretches of so many bars.
_STRETCHES, _STRETCH_BARS = 4, 8
# How many of the nearest in character are compared by fingerprint, too.
_NEIGHBOURS = 12
_listeners = ThreadPoolExecutor(2, thread_name_prefix="gate")


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a check draws its line, and why there."""

    value: float
    reason: str


LIMITS: Mapping[str, Limit] = {
    "seam": Limit(2.5, "48 loops of the shipped model lie between 0.5 and 1.6; most that were cut wrongly above 2.5"),
    "step": Limit(2.0, "the same 48 stay below 1; the jump of a wrong cut has a median of 3"),
    "silence": Limit(0.5, "a loop of slow bells or of typing has up to 0.15; more than half is mostly nothing"),
    "clipping": Limit(0, "what the engine makes never reaches full scale: a run of full samples is a broken sound"),
    "true peak": Limit(0.1, "dBTP; the engine stays below -1, and above 0 players distort; 0.1 for the meter's error"),
    "quietest": Limit(-36.0, "LUFS; typing and rain go down to -30, and below -36 a video's platform turns up hiss"),
    "loudest": Limit(-7.0, "LUFS; the engine aims at -14, and above -7 there is no music left between the peaks"),
    "tempo confidence": Limit(0.8, "below it, half of the grid's answers for rain, wind and pads are chance"),
    "key fit": Limit(0.5, "seven notes of twelve by chance hold 0.58; 27 of 28 loops hold 0.72 to 0.97 of their key"),
    "doubtful key fit": Limit(0.7, "what is in its key holds more, but for jazz and metal now and then"),
    "tonality": Limit(0.75, "of drums and noise no scale holds more than 0.74; of what is played in a key, one does"),
    "fingerprint": Limit(0.85, "1128 pairs of loops stay below 0.81; turned and encoded copies are above 0.95"),
    "embedding": Limit(0.98, "what is so near in character is worth a second look by its creator"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One look at a loop. `value` and `limit` are None where nothing is compared; a warning keeps nobody out."""

    name: str
    passed: bool
    sentence: str
    value: float | str | None = None
    limit: float | str | None = None
    is_warning: bool = False

    @property
    def refuses(self) -> bool:
        return not self.passed and not self.is_warning


@dataclass(frozen=True, slots=True)
class Measured:
    """What a sound says of itself; the same for the same sound, for ever. `figures` are finite numbers or None."""

    figures: Mapping[str, float | None]
    fingerprint: bytes
    subprints: Sequence[int]
    embedding: bytes | None = None
    tags: Sequence[Tag] = ()
    energy: float | None = None
    brightness: float | None = None


async def listen(storage: Storage, loop: Loop) -> Measured:
    """Measure a loop; what was measured lately is remembered. Raises AssetMissing. Takes a second: hold no lock."""
    if loop.id not in _remembered:
        data = await storage.get(loop.wav)
        _remembered[loop.id] = await asyncio.get_running_loop().run_in_executor(
            _listeners, _measure, data, loop
        )
        while len(_remembered) > _REMEMBERED:
            _remembered.popitem(last=False)
    _remembered.move_to_end(loop.id)
    return _remembered[loop.id]


_remembered: OrderedDict[str, Measured] = OrderedDict()


async def checks(
    session: AsyncSession,
    loop: Loop,
    owner: str,
    measured: Measured,
    texts: Mapping[str, str],
    *,
    has_rights: bool,
) -> Sequence[Check]:
    """Every check of a loop that `owner` wants to publish under these texts, those of the sound first."""
    return [
        *_of_sound(loop, measured.figures),
        *await _of_duplicates(session, loop, measured),
        *_of_originality(measured.figures),
        *await _of_origin(session, loop, owner, has_rights),
        *await of_words(session, {"prompt": loop.prompt, **texts}),
    ]


async def of_words(session: AsyncSession, texts: Mapping[str, str]) -> Sequence[Check]:
    """Whether some texts, by what they are called, hold a word that is refused."""
    for field, text in texts.items():
        word = await words.refused(session, text)
        if word is not None:
            return [Check("words", False, f"The {field} says “{word}”, which is refused here.", word)]
    return [Check("words", True, f"Nothing in {', '.join(texts)} is refused here.")]


def starts_from_upload(recipe: Mapping[str, Any]) -> bool:
    """Whether a sound that somebody brought is at the beginning of what a recipe makes."""
    while source := recipe.get("source"):
        if "recipe" not in source:
            return True
        recipe = source["recipe"]
    return False


def _of_sound(loop: Loop, found: Mapping[str, float | None]) -> Iterator[Check]:
    if loop.kind == "loop":
        yield _at_most(
            "seam",
            found["seam"],
            "The spectrum changes at the seam {} times as much as at other bars: up to {} is possible.",
        )
        yield _at_most(
            "step",
            found["step"],
            "The wave jumps at the seam {} times as far as it moves around it: up to {} is possible.",
        )
    yield _at_most("silence", found["silence"], "A share of {} of it is silent: up to {} is possible.")
    yield _at_most(
        "clipping", found["clipping"], "{} samples are cut off at full scale: up to {} is possible."
    )
    yield _at_most("true peak", found["true peak"], "Its true peak is at {} dBTP: up to {} is possible.")
    yield _loudness(found["loudness"])
    yield _tempo(loop, found)
    yield _key(loop, found)


def _loudness(lufs: float | None) -> Check:
    quietest, loudest = LIMITS["quietest"].value, LIMITS["loudest"].value
    limit = f"{quietest:g} to {loudest:g}"
    if lufs is None:
        return Check("loudness", False, "It is silent.", None, limit)
    sentence = f"Its loudness is {lufs:.1f} LUFS: from {limit} is possible."
    return Check("loudness", quietest <= lufs <= loudest, sentence, lufs, limit)


def _at_most(name: str, value: float | None, finding: str) -> Check:
    limit = LIMITS[name].value
    if value is None:
        return Check(name, True, "There is nothing to measure it on.", None, limit)
    return Check(name, value <= limit, finding.format(f"{value:.3g}", f"{limit:g}"), value, limit)


def _tempo(loop: Loop, found: Mapping[str, float | None]) -> Check:
    from generation.judge.detectors import tempo_error

    heard, confidence, second = found["grid tempo"], found["tempo confidence"], found["comb tempo"]
    said = f"{loop.bpm:g}"
    if heard is None or confidence is None or confidence < LIMITS["tempo confidence"].value:
        return Check(
            "tempo", True, f"No beat is clear enough to doubt the {said} bpm that it says.", None, said
        )
    if tempo_error(heard, loop.bpm) != "wrong":
        return Check(
            "tempo", True, f"{heard:.1f} bpm are heard, which fits the {said} that it says.", heard, said
        )
    # Two rulers that know nothing of each other have to agree that it is wrong.
    agreed = second is not None and tempo_error(second, loop.bpm) == "wrong"
    sentence = f"{heard:.1f} bpm are heard, and it says {said}."
    return Check("tempo", False, sentence, heard, said, is_warning=not agreed)


def _key(loop: Loop, found: Mapping[str, float | None]) -> Check:
    fit, tonal, heard = found["key fit"], found["tonality"], found["key"]
    if loop.key is None or fit is None or heard is None or (tonal or 0) < LIMITS["tonality"].value:
        return Check("key", True, "No key is said, or none is clear enough to doubt it.", None, loop.key)
    name = f"{TONICS[int(heard) // 2]}{'m' if int(heard) % 2 else ''}"
    sentence = f"{fit:.0%} of what is heard are notes of {loop.key}; {name} fits best."
    passed = fit >= LIMITS["doubtful key fit"].value
    return Check(
        "key", passed, sentence, fit, LIMITS["key fit"].value, is_warning=fit >= LIMITS["key fit"].value
    )


async def _of_duplicates(session: AsyncSession, loop: Loop, measured: Measured) -> Sequence[Check]:
    same = await repository.listed_with_digest(session, loop.sha256, besides=loop.id)
    sentence = (
        f"The very same samples are listed already, as {same}."
        if same
        else "Nobody has listed these samples."
    )
    exact = Check("same samples", same is None, sentence, same)
    near = [other for other in await _near(session, measured) if other.loop_id != loop.id]
    stored = dict(await repository.candidates(session, measured.subprints, besides=loop.id))
    stored |= dict(await repository.fingerprints_of(session, [other.loop_id for other in near]))
    heard = prints.unpacked(measured.fingerprint)
    alike = max(
        ((prints.similarity(heard, prints.unpacked(other)), loop_id) for loop_id, other in stored.items()),
        default=(0.0, ""),
    )
    nearest = (near[0].similarity, near[0].loop_id) if near else (0.0, "")
    return [exact, _fingerprint(*alike), _embedding(*nearest)]


async def _near(session: AsyncSession, measured: Measured) -> Sequence[search.Near]:
    """The listings nearest in character, itself perhaps among them."""
    if measured.embedding is None:
        return []
    vector = np.frombuffer(measured.embedding, np.int8).astype(np.float32)
    return await search.similar_to(session, vector / np.linalg.norm(vector), limit=_NEIGHBOURS)


def _fingerprint(likeness: float, loop_id: str) -> Check:
    limit = LIMITS["fingerprint"].value
    sentence = "Nothing that is listed sounds like it."
    if loop_id:
        sentence = (
            f"{likeness:.0%} of its fingerprint is that of {loop_id}, the most alike of what is listed."
        )
    return Check("fingerprint", likeness < limit, sentence, round(likeness, 4), limit)


def _embedding(likeness: float, loop_id: str) -> Check:
    limit = LIMITS["embedding"].value
    sentence = "Nothing like it is listed."
    if loop_id:
        sentence = f"Its character is nearest to that of {loop_id}: {likeness:.3f} of 1."
    # Two techno loops are as near as this without one being the other's copy: that is for the fingerprint to say.
    return Check("embedding", likeness < limit, sentence, round(likeness, 4), limit, is_warning=True)


def _of_originality(found: Mapping[str, float | None]) -> Iterator[Check]:
    nearest, seed = found["training likeness"], found["training seed"]
    if nearest is None:
        yield Check(
            "originality", True, "Nobody plays a tune in it that could be a training loop's.", None, TOO_NEAR
        )
        return
    sentence = "No training loop is near to it."
    if seed is not None:
        sentence = f"The nearest training loop is the one of seed {seed:.0f}: {nearest:.2f} of 1."
    yield Check("originality", nearest < TOO_NEAR, sentence, nearest, TOO_NEAR)


async def _of_origin(session: AsyncSession, loop: Loop, owner: str, has_rights: bool) -> Sequence[Check]:
    """Whether everything that the loop was made from and with is known: what the licence's warranty rests on."""
    recipe: Mapping[str, Any] | None = loop.recipe
    while recipe is not None:
        if recipe["model"] not in tiers.known_models():
            return [
                _origin(f"It was made with {recipe['model']}: nobody here can say what that learnt from.")
            ]
        if recipe.get("styles"):
            names = ", ".join(recipe["styles"])
            return [
                _origin(f"It was made with the style {names}: nobody here can say what that learnt from.")
            ]
        source = recipe.get("source") or {}
        recipe = source.get("recipe")
        if recipe is not None and not await repository.made_by(session, source["sha256"], owner):
            return [
                _origin(
                    "It starts from a loop that somebody else made: only its maker can sell what comes of it."
                )
            ]
    if not starts_from_upload(loop.recipe):
        return [Check("origin", True, "Everything that it was made from and with is known.", "known")]
    if not has_rights:
        return [
            _origin(
                "It starts from a sound that you brought: confirm that you hold all rights to it (rights)."
            )
        ]
    return [
        Check(
            "origin", True, "It starts from a sound that its creator states to hold all rights to.", "stated"
        )
    ]


def _origin(sentence: str) -> Check:
    return Check("origin", False, sentence, "unknown")


def _measure(data: bytes, loop: Loop) -> Measured:
    from generation.arrange.grid import find_grid
    from generation.judge import detectors, measures

    with wave.open(io.BytesIO(data)) as file:
        audio = audio_of(file.readframes(file.getnframes()))
    sixteenths = loop.bars * METRES[loop.metre]
    excerpt = _middle(audio)
    mono = excerpt.mean(1)
    grid = find_grid(excerpt)
    classes = detectors.chroma(mono)
    wanted = None if loop.key is None else _key_number(Key.parse(loop.key))
    whole = audio.mean(1) if loop.kind == "loop" else None
    figures = {
        "seam": math.nan if whole is None else measures.seam_flux(whole, loop.bars),
        "step": math.nan if whole is None else measures.seam_step(whole),
        "silence": measures.silent_share(audio, sixteenths),
        "clipping": float(clipped(audio)),
        "true peak": 20 * math.log10(max(true_peak(audio), 1e-6)),
        "loudness": loudness(audio),
        "grid tempo": grid.bpm,
        "tempo confidence": grid.confidence,
        "comb tempo": detectors.tempo(detectors.onset_strength(detectors.repeated(mono, 12))),
        "key": float(detectors.key(classes)),
        "tonality": max(detectors.on_scale(classes, key) for key in range(24)),
        "key fit": math.nan if wanted is None else detectors.on_scale(classes, wanted),
        **_training(audio, loop),
    }
    try:
        heard_prints = prints.fingerprint(audio)
    except FfmpegFailed:
        heard_prints = np.zeros(0, np.uint32)
    return Measured(
        figures={name: round(value, 5) if math.isfinite(value) else None for name, value in figures.items()},
        fingerprint=prints.packed(heard_prints),
        subprints=prints.subprints(heard_prints),
        **_character(excerpt, loop.bpm),
    )


def _training(audio: Sound, loop: Loop) -> Mapping[str, float]:
    """How near a loop, or some stretches of a longer piece, come to a loop that the model learnt from."""
    bars = loop.bars if loop.kind == "loop" else min(loop.bars, _STRETCH_BARS)
    samples = samples_of(bars * METRES[loop.metre], loop.bpm)
    found = [Originality(0.0, None)]
    for start in np.linspace(0, max(0, loop.bars - bars), 1 if loop.kind == "loop" else _STRETCHES).astype(
        int
    ):
        first = round(int(start) * len(audio) / loop.bars)
        try:
            found.append(originality(audio[first : first + samples], loop.bpm, loop.metre, bars))
        except (InvalidRequest, UnreadableAudio):
            # Silence, or the end of a song that rings on.
            continue
    nearest = max(found, key=lambda one: one.nearest)
    return {
        "training likeness": nearest.nearest,
        "training seed": math.nan if nearest.seed is None else float(nearest.seed),
    }


def _character(audio: Sound, bpm: float) -> dict[str, Any]:
    """What the market's ear hears; nothing in what is too short or too quiet for it."""
    try:
        vector, found = embed_audio(audio, bpm), heard_in(audio, bpm)
    except UnreadableAudio:
        return {}
    return {
        "embedding": np.clip(np.rint(vector * 127), -127, 127).astype(np.int8).tobytes(),
        "tags": (
            *heard_as("genre", found.genres),
            *heard_as("instrument", found.instruments),
            *heard_as("mood", found.moods),
            *heard_as("texture", found.textures),
        ),
        "energy": found.energy,
        "brightness": found.brightness,
    }


def clipped(audio: Sound) -> int:
    """How many samples stand in runs of four or more at full scale."""
    full = np.abs(audio) >= 1 - 2**-15
    count = 0
    for channel in full.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], channel, [False]]).astype(np.int8)))
        lengths = edges[1::2] - edges[::2]
        count += int(lengths[lengths >= _CLIPPED_RUN].sum())
    return count


def _middle(audio: Sound) -> Sound:
    longest = _LONGEST_SECONDS * SAMPLE_RATE
    start = max(0, (len(audio) - longest) // 2)
    return audio[start : start + longest]


def _key_number(key: Key) -> int:
    return key.tonic * 2 + key.minor
