"""A loop of 1, 2, 4 or 8 bars from a seed: who plays, in which genre, metre and key, and every note.

About three fifths of the scores are bands in a genre. The rest are solos and duos, drawn evenly over all the
instruments, basses, kits and textures, since "a piano" is what people ask for and what a band hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from generation.corpus.genres import GENRES, NEUTRAL, Genre, Groove
from generation.corpus.harmony import Harmony, harmonise
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES, Instrument, Kit, Sound, Texture
from generation.corpus.players import (
    Drumming,
    play_bass,
    play_chords,
    play_counter,
    play_drums,
    play_lead,
    play_texture,
)
from generation.corpus.score import ROLES, Note, Part, Role, Score
from generation.request import METRES

T = TypeVar("T")

SOLO_SHARE, DUO_SHARE = 0.30, 0.10
_GOLDEN = (5**0.5 - 1) / 2
_BARS, _BARS_WEIGHTS = (1, 2, 4, 8), (20, 30, 38, 12)

# A kit counts twice among the soloists: it has its genres' grooves to show.
_SOLOISTS: tuple[Sound, ...] = (
    *MELODIC.values(),
    *BASSES.values(),
    *KITS.values(),
    *KITS.values(),
    *TEXTURES.values(),
)
_STRUMMED = ("nylon guitar", "acoustic guitar", "clean guitar", "banjo", "harp", "harpsichord")
_REVERB: dict[Role, float] = {
    "drums": 0.2, "bass": 0.05, "chords": 0.4, "lead": 0.4, "counter": 0.45, "texture": 0.2,
}  # fmt: skip
_ORCHESTRAL_KIT = "orchestral kit"

# Moods that a key of the other mode would belie.
_MINOR_MOODS = frozenset(
    ("dark", "menacing", "melancholic", "moody", "sad", "tense", "solemn", "mysterious", "haunting", "brutal",
     "cold", "furious", "dramatic")
)  # fmt: skip
_MAJOR_MOODS = frozenset(
    (
        "happy",
        "cheerful",
        "joyful",
        "merry",
        "sunny",
        "festive",
        "sweet",
        "carefree",
        "glittering",
        "uplifting",
    )
)


@dataclass(frozen=True, slots=True)
class _Seat:
    role: Role
    sound: Sound
    figure: str


@dataclass(frozen=True, slots=True)
class _Session:
    """What everybody in the room agrees on. `touch` scales how hard they play."""

    genre: Genre
    metre: str
    bars: int
    harmony: Harmony
    groove: Groove | None
    alone: bool
    has_bass: bool
    touch: float


def is_solo(seed: int) -> bool:
    """Whether the score of a seed is one for a soloist."""
    return _place(seed) < SOLO_SHARE


def compose(seed: int) -> Score:
    """The score of a seed: always the same one, on every machine."""
    random = Random(seed)
    bars = random.choices(_BARS, _BARS_WEIGHTS)[0]
    # Golden-ratio steps spread any run of seeds evenly: every soloist and genre gets its share, not its luck.
    place = _place(seed)
    if is_solo(seed):
        genre, seats = _solo(random, _at(_SOLOISTS, place / SOLO_SHARE))
    elif place < SOLO_SHARE + DUO_SHARE:
        genre, seats = _duo(random, _at(_SOLOISTS, (place - SOLO_SHARE) / DUO_SHARE))
    else:
        place = (place - SOLO_SHARE - DUO_SHARE) / (1 - SOLO_SHARE - DUO_SHARE)
        genre, seats = _band(random, _at(tuple(GENRES.values()), place))
    metre = random.choice(genre.metres)
    harmony = harmonise(
        random,
        bars,
        metre,
        minor=genre.minor,
        colour=_colour(random, genre),
        flat_seventh=genre.flat_seventh,
        progressions=genre.progressions,
    )
    session = _Session(
        genre=genre,
        metre=metre,
        bars=bars,
        harmony=harmony,
        groove=random.choice(genre.grooves_in(metre))
        if any(seat.role == "drums" for seat in seats)
        else None,
        alone=len({seat.sound.name for seat in seats}) == 1,
        has_bass=any(seat.role == "bass" for seat in seats),
        touch=random.choices((0.72, 1.0, 1.12), (18, 64, 18))[0],
    )
    tempo = genre.compound_bpm if metre == "6/8" and genre.compound_bpm else genre.bpm
    return Score(
        seed=seed,
        genre=genre.name,
        mood=_mood(random, genre, harmony),
        bpm=random.randint(*tempo),
        bars=bars,
        key=harmony.key,
        parts=_parts(random, session, sorted(seats, key=lambda seat: ROLES.index(seat.role))),
        metre=metre,
    )


def _place(seed: int) -> float:
    return seed * _GOLDEN % 1.0


def _at(choices: Sequence[T], place: float) -> T:
    return choices[int(place * len(choices))]


def _colour(random: Random, genre: Genre) -> str:
    if random.random() < genre.sevenths:
        return "ninths" if random.random() < genre.ninths else "sevenths"
    return random.choices(("triads", "add9", "sus"), (75, 15, 10))[0]


def _mood(random: Random, genre: Genre, harmony: Harmony) -> str:
    belied = _MAJOR_MOODS if harmony.key.minor else _MINOR_MOODS
    moods = [mood for mood in genre.moods if mood not in belied]
    return random.choice(moods or genre.moods)


def _band(random: Random, genre: Genre) -> tuple[Genre, list[_Seat]]:
    seats = []
    if random.random() < genre.drums:
        seats.append(_Seat("drums", KITS[random.choice(genre.kits)], "groove"))
    if random.random() < genre.bass:
        seats.append(_Seat("bass", BASSES[random.choice(genre.basses)], random.choice(genre.bass_styles)))
    chords, lead = random.random() < 0.93, random.random() < 0.82
    if chords or not lead:
        seats.append(_chord_seat(random, genre, MELODIC[random.choice(genre.chords)]))
    if lead:
        leader = MELODIC[random.choice(genre.leads)]
        seat = _lead_seat(random, genre, leader)
        if seat.figure == "arpeggio" and any(other.figure == "arpeggio" for other in seats):
            # Two arpeggios at once are a blur.
            seat = replace(seat, figure="melody")
        seats.append(seat)
        if random.random() < genre.counter:
            others = [name for name in genre.counters or genre.leads if name != leader.name]
            if others:
                figure = random.choice(("thirds", "answers", "answers", "held notes"))
                seats.append(_Seat("counter", MELODIC[random.choice(others)], figure))
    if genre.textures and random.random() < genre.texture:
        seats.append(_Seat("texture", TEXTURES[random.choice(genre.textures)], "bed"))
    return genre, seats


def _solo(random: Random, sound: Sound) -> tuple[Genre, list[_Seat]]:
    if isinstance(sound, Kit):
        return _drummer(random, sound)
    if isinstance(sound, Texture):
        return NEUTRAL, [_Seat("texture", sound, "bed")]
    genre = _genre_around(random, sound)
    seat = _seat_of(random, genre, sound)
    seats = [seat]
    if seat.role == "lead" and sound.chordal and random.random() < 0.4:
        seats.append(_chord_seat(random, genre, sound))
    return genre, seats


def _duo(random: Random, sound: Sound) -> tuple[Genre, list[_Seat]]:
    if isinstance(sound, Kit):
        genre, seats = _drummer(random, sound)
        partner = _seat_of(random, genre, _companion(random, genre))
        return genre, [*seats, partner]
    if isinstance(sound, Texture):
        partner_sound = random.choice(list(MELODIC.values()))
        genre = _genre_around(random, partner_sound)
        return genre, [_seat_of(random, genre, partner_sound), _Seat("texture", sound, "bed")]
    genre = _genre_around(random, sound)
    seat = _seat_of(random, genre, sound)
    if genre.kits and random.random() < 0.35:
        return genre, [seat, _Seat("drums", KITS[random.choice(genre.kits)], "groove")]
    others = [other for other in MELODIC.values() if other is not sound]
    match seat.role:
        case "bass":
            partner = _seat_of(random, genre, random.choice(others))
        case "lead" if random.random() < 0.25:
            partner = _seat_of(random, genre, random.choice(list(BASSES.values())))
        case "lead" if random.random() < 0.35:
            partner = _Seat(
                "counter", random.choice(others), random.choice(("thirds", "answers", "held notes"))
            )
        case "lead":
            partner = _chord_seat(random, genre, random.choice([other for other in others if other.chordal]))
        case _:
            partner = _lead_seat(random, genre, random.choice(others))
    return genre, [seat, partner]


def _drummer(random: Random, kit: Kit) -> tuple[Genre, list[_Seat]]:
    """The kit in a genre of its own or, half the time, in any other; the orchestral one stays at home."""
    at_home = kit.name == _ORCHESTRAL_KIT or random.random() < 0.5
    genres = [
        genre
        for genre in GENRES.values()
        if (kit.name in genre.kits if at_home else set(genre.kits) != {_ORCHESTRAL_KIT})
    ]
    return random.choice(genres), [_Seat("drums", kit, "groove")]


def _companion(random: Random, genre: Genre) -> Instrument:
    """Somebody of the genre's own band."""
    if random.random() < 0.4:
        return BASSES[random.choice(genre.basses)]
    return MELODIC[random.choice(genre.chords + genre.leads)]


def _genre_around(random: Random, sound: Instrument) -> Genre:
    """A genre that the instrument belongs to, or none in particular."""
    home = [genre for genre in GENRES.values() if sound.name in genre.basses + genre.chords + genre.leads]
    return random.choice(home) if home and random.random() < 0.45 else NEUTRAL


def _seat_of(random: Random, genre: Genre, sound: Instrument) -> _Seat:
    if sound.name in BASSES:
        styles = ("acid",) if sound.name == "acid bass" else genre.bass_styles
        return _Seat("bass", sound, random.choice(styles))
    if sound.chordal and random.random() < 0.45:
        return _chord_seat(random, genre, sound)
    return _lead_seat(random, genre, sound)


def _chord_seat(random: Random, genre: Genre, instrument: Instrument) -> _Seat:
    styles = genre.chord_styles
    if instrument.name == "chip arp":
        styles = ("arpeggio",)
    if styles == ("chugs",) and instrument.name != "distorted guitar":
        styles = ("sustained", "eighths")
    if not instrument.sustained and genre.name not in (
        "",
        "ambient",
        "lofi",
        "classical",
        "lullaby",
        "vaporwave",
    ):
        styles = tuple(style for style in styles if style != "sustained") or ("arpeggio", "sustained")
    style = random.choice(styles)
    if style == "strums" and instrument.name not in _STRUMMED:
        style = "eighths"
    if style == "chugs" and instrument.name != "distorted guitar":
        style = "eighths"
    return _Seat("chords", instrument, style)


def _lead_seat(random: Random, genre: Genre, instrument: Instrument) -> _Seat:
    match instrument.name:
        case "church bells":
            figure = random.choice(("peal", "toll", "slow melody", "slow melody", "melody"))
        case "timpani":
            figure = random.choice(("riff", "riff", "toll"))
        case "chip arp":
            figure = "arpeggio"
        case "acid lead":
            figure = random.choice(("riff", "riff", "arpeggio"))
        case "synth pad" | "glass pad" | "choir" | "strings" | "synth strings" | "church organ" | "theremin":
            figure = random.choice(("slow melody", "slow melody", "melody"))
        case _:
            figures = genre.figures if instrument.chordal else [f for f in genre.figures if f != "arpeggio"]
            figure = random.choice(figures or ("melody",))
    return _Seat("lead", instrument, figure)


def _parts(random: Random, session: _Session, seats: list[_Seat]) -> tuple[Part, ...]:
    side = random.choice((-1, 1)) * random.uniform(0.05, 0.45 if len(seats) > 2 else 0.2)
    pans: dict[Role, float] = {
        "drums": 0.0,
        "bass": 0.0,
        "chords": side,
        "lead": -side * random.uniform(0.3, 1.0),
        "counter": side * random.uniform(0.6, 1.5),
        "texture": 0.0,
    }
    lead: list[Note] = []
    parts = []
    for seat in seats:
        figure, straight = _played(random, session, seat, lead)
        if seat.role == "lead":
            lead = straight
        notes = _performed(random, straight, session, is_texture=seat.role == "texture")
        reverb = max(0.0, min(1.0, _REVERB[seat.role] * random.uniform(0.5, 1.6)))
        parts.append(
            Part(seat.role, seat.sound.name, figure, notes, round(pans[seat.role], 3), round(reverb, 3))
        )
    return tuple(part for part in parts if part.notes)


def _played(random: Random, session: _Session, seat: _Seat, lead: list[Note]) -> tuple[str, list[Note]]:
    """The figure as it came out, and its notes."""
    sound, harmony, bars, metre, genre = (
        seat.sound,
        session.harmony,
        session.bars,
        session.metre,
        session.genre,
    )
    if isinstance(sound, Texture):
        return play_texture(random, sound.name, bars, harmony.bar)
    if isinstance(sound, Kit):
        assert session.groove is not None
        drumming = Drumming(
            fills=genre.fills,
            ghosts=genre.ghosts,
            rolls=genre.rolls,
            builds=genre.builds,
            embellished=session.alone,
            orchestral=sound.name == _ORCHESTRAL_KIT,
        )
        return play_drums(random, session.groove, bars, harmony.bar, drumming)
    if seat.role == "bass":
        return seat.figure, play_bass(random, seat.figure, sound, harmony, bars, metre)
    if seat.role == "chords":
        left_hand = not session.has_bass and sound.chordal and random.random() < 0.5
        return seat.figure, play_chords(random, seat.figure, sound, harmony, bars, metre, with_bass=left_hand)
    if seat.role == "counter":
        return seat.figure, play_counter(random, seat.figure, sound, harmony, bars, lead)
    return seat.figure, play_lead(random, seat.figure, sound, harmony, bars, metre, genre.density)


def _performed(random: Random, notes: list[Note], session: _Session, *, is_texture: bool) -> tuple[Note, ...]:
    """The notes with the genre's swing and timing, in order, inside the loop, no pitch overlapping itself."""
    genre, steps = session.genre, session.bars * METRES[session.metre]
    swing = 0.0 if is_texture or (session.metre == "6/8" and genre.swing_unit == 2) else genre.swing
    looseness = 0.0 if is_texture else genre.looseness
    touch = 1.0 if is_texture else session.touch
    played = []
    for note in notes:
        start = _swung(note.start, swing, genre.swing_unit)
        if looseness:
            start += random.gauss(0.0, looseness)
        start = round(max(0.0, min(start, steps - 0.25)), 4)
        velocity = max(18, min(127, round(note.velocity * touch)))
        played.append(Note(start, round(min(note.length, steps - start), 4), note.pitch, velocity))
    played.sort(key=lambda note: (note.start, note.pitch))
    following: dict[int, float] = {}
    clean: list[Note] = []
    for note in reversed(played):
        until = following.get(note.pitch, float(steps))
        if until - note.start < 0.12:
            continue
        following[note.pitch] = note.start
        clean.append(replace(note, length=round(min(note.length, until - note.start), 4)))
    return tuple(reversed(clean))


def _swung(step: float, swing: float, unit: int) -> float:
    """The straight position bent so that the middle of each pair of sixteenths or eighths comes late."""
    pair, within = divmod(step, 2 * unit)
    if within <= unit:
        return pair * 2 * unit + within * (unit + swing) / unit
    return pair * 2 * unit + unit + swing + (within - unit) * (unit - swing) / unit
