"""A loop of 1, 2, 4 or 8 bars from a seed: who plays, in which genre and key, and every note.

About two thirds of the scores are bands in a genre. The rest are solos and duos, drawn evenly over all the
instruments, basses and kits, since "a piano" is what people ask for and what a band hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from generation.corpus.genres import GENRES, NEUTRAL, Genre
from generation.corpus.harmony import Harmony, harmonise
from generation.corpus.instruments import BASSES, KITS, MELODIC, Instrument, Kit
from generation.corpus.players import play_bass, play_chords, play_drums, play_lead
from generation.corpus.score import ROLES, STEPS_PER_BAR, Note, Part, Role, Score

T = TypeVar("T")

SOLO_SHARE, DUO_SHARE = 0.25, 0.10
_GOLDEN = (5**0.5 - 1) / 2
_BARS, _BARS_WEIGHTS = (1, 2, 4, 8), (12, 25, 43, 20)

# A kit counts twice among the soloists: it has its genres' grooves to show.
_SOLOISTS: tuple[Instrument | Kit, ...] = (
    *MELODIC.values(),
    *BASSES.values(),
    *KITS.values(),
    *KITS.values(),
)
_STRUMMED = ("nylon guitar", "acoustic guitar", "clean guitar", "banjo", "harp", "harpsichord")
_REVERB: dict[Role, float] = {"drums": 0.2, "bass": 0.05, "chords": 0.4, "lead": 0.4}


@dataclass(frozen=True, slots=True)
class _Seat:
    role: Role
    sound: Instrument | Kit
    figure: str


def compose(seed: int) -> Score:
    """The score of a seed: always the same one, on every machine."""
    random = Random(seed)
    bars = random.choices(_BARS, _BARS_WEIGHTS)[0]
    # Golden-ratio steps spread any run of seeds evenly: every soloist and genre gets its share, not its luck.
    place = seed * _GOLDEN % 1.0
    if place < SOLO_SHARE:
        genre, seats = _solo(random, _at(_SOLOISTS, place / SOLO_SHARE))
    elif place < SOLO_SHARE + DUO_SHARE:
        genre, seats = _duo(random, _at(_SOLOISTS, (place - SOLO_SHARE) / DUO_SHARE))
    else:
        place = (place - SOLO_SHARE - DUO_SHARE) / (1 - SOLO_SHARE - DUO_SHARE)
        genre, seats = _band(random, _at(tuple(GENRES.values()), place))
    harmony = harmonise(
        random,
        bars,
        minor=genre.minor,
        sevenths=genre.sevenths,
        flat_seventh=genre.flat_seventh,
        jazz=genre.sevenths == 1.0,
    )
    side = random.choice((-1, 1)) * random.uniform(0.05, 0.45 if len(seats) > 2 else 0.2)
    pans: dict[Role, float] = {
        "drums": 0.0,
        "bass": 0.0,
        "chords": side,
        "lead": -side * random.uniform(0.3, 1.0),
    }
    parts = [
        _part(random, genre, seat, harmony, bars, pan=pans[seat.role], alone=len(seats) == 1)
        for seat in sorted(seats, key=lambda seat: ROLES.index(seat.role))
    ]
    return Score(
        seed=seed,
        genre=genre.name,
        mood=random.choice(genre.moods),
        bpm=random.randint(*genre.bpm),
        bars=bars,
        key=harmony.key,
        parts=tuple(part for part in parts if part.notes),
    )


def _at(choices: Sequence[T], place: float) -> T:
    return choices[int(place * len(choices))]


def _band(random: Random, genre: Genre) -> tuple[Genre, list[_Seat]]:
    seats = []
    if random.random() < genre.drums:
        seats.append(_Seat("drums", KITS[random.choice(genre.kits)], "groove"))
    if random.random() < 0.93:
        seats.append(_Seat("bass", BASSES[random.choice(genre.basses)], random.choice(genre.bass_styles)))
    chords, lead = random.random() < 0.93, random.random() < 0.82
    if chords or not lead:
        seats.append(_chord_seat(random, genre, MELODIC[random.choice(genre.chords)]))
    if lead:
        seats.append(_lead_seat(random, MELODIC[random.choice(genre.leads)]))
    return genre, seats


def _solo(random: Random, sound: Instrument | Kit) -> tuple[Genre, list[_Seat]]:
    if isinstance(sound, Kit):
        return _drummer(random, sound)
    genre = _genre_around(random, sound)
    seat = _seat_of(random, genre, sound)
    seats = [seat]
    if seat.role == "lead" and sound.chordal and random.random() < 0.4:
        seats.append(_chord_seat(random, genre, sound))
    return genre, seats


def _duo(random: Random, sound: Instrument | Kit) -> tuple[Genre, list[_Seat]]:
    if isinstance(sound, Kit):
        genre, seats = _drummer(random, sound)
        partner = _seat_of(random, genre, _companion(random, genre))
        return genre, [*seats, partner]
    genre = _genre_around(random, sound)
    seat = _seat_of(random, genre, sound)
    if genre.kits and random.random() < 0.4:
        return genre, [seat, _Seat("drums", KITS[random.choice(genre.kits)], "groove")]
    others: list[Instrument] = [other for other in MELODIC.values() if other is not sound]
    match seat.role:
        case "bass":
            partner = _seat_of(random, genre, random.choice(others))
        case "lead" if random.random() < 0.3:
            partner = _seat_of(random, genre, random.choice(list(BASSES.values())))
        case "lead":
            partner = _chord_seat(random, genre, random.choice([other for other in others if other.chordal]))
        case _:
            partner = _lead_seat(random, random.choice(others))
    return genre, [seat, partner]


def _drummer(random: Random, kit: Kit) -> tuple[Genre, list[_Seat]]:
    """Half the time the kit leads to the genre, half the time any genre brings its own kit."""
    if random.random() < 0.5:
        genre = random.choice([genre for genre in GENRES.values() if kit.name in genre.kits])
    else:
        genre = random.choice(list(GENRES.values()))
        kit = KITS[random.choice(genre.kits)]
    return genre, [_Seat("drums", kit, "groove")]


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
        return _Seat("bass", sound, random.choice(genre.bass_styles))
    if sound.chordal and random.random() < 0.45:
        return _chord_seat(random, genre, sound)
    return _lead_seat(random, sound)


def _chord_seat(random: Random, genre: Genre, instrument: Instrument) -> _Seat:
    styles = genre.chord_styles
    if styles == ("chugs",) and instrument.name != "distorted guitar":
        styles = ("sustained", "eighths")
    if not instrument.sustained and genre.name not in ("", "ambient", "lofi", "classical"):
        styles = tuple(style for style in styles if style != "sustained") or ("arpeggio", "sustained")
    style = random.choice(styles)
    if style == "strums" and instrument.name not in _STRUMMED:
        style = "eighths"
    return _Seat("chords", instrument, style)


def _lead_seat(random: Random, instrument: Instrument) -> _Seat:
    match instrument.name:
        case "church bells":
            figure = random.choice(("peal", "toll", "slow melody", "slow melody", "melody"))
        case "timpani":
            figure = random.choice(("riff", "riff", "toll"))
        case "synth pad" | "choir" | "strings" | "synth strings" | "church organ":
            figure = random.choice(("slow melody", "slow melody", "melody"))
        case _:
            figure = random.choice(("melody", "melody", "melody", "slow melody", "riff", "arpeggio"))
    return _Seat("lead", instrument, figure)


def _part(
    random: Random, genre: Genre, seat: _Seat, harmony: Harmony, bars: int, *, pan: float, alone: bool
) -> Part:
    sound = seat.sound
    if isinstance(sound, Kit):
        groove = random.choice(genre.grooves)
        straight = play_drums(random, groove, bars, fills=genre.fills, embellished=alone)
    elif seat.role == "bass":
        straight = play_bass(random, seat.figure, sound, harmony, bars)
    elif seat.role == "chords":
        straight = play_chords(random, seat.figure, sound, harmony, bars)
    else:
        straight = play_lead(random, seat.figure, sound, harmony, bars, genre.density)
    return Part(
        role=seat.role,
        instrument=sound.name,
        program=sound.program,
        is_drums=isinstance(sound, Kit),
        figure=seat.figure,
        notes=_performed(random, straight, genre, bars * STEPS_PER_BAR),
        pan=round(pan, 3),
        reverb=round(max(0.0, min(1.0, _REVERB[seat.role] * random.uniform(0.5, 1.6))), 3),
    )


def _performed(random: Random, notes: list[Note], genre: Genre, steps: int) -> tuple[Note, ...]:
    """The notes with the genre's swing and timing, in order, inside the loop, no pitch overlapping itself."""
    played = []
    for note in notes:
        start = _swung(note.start, genre.swing, genre.swing_unit) + random.gauss(0.0, genre.looseness)
        start = round(max(0.0, min(start, steps - 0.25)), 4)
        velocity = max(20, min(127, note.velocity))
        played.append(Note(start, round(min(note.length, steps - start), 4), note.pitch, velocity))
    played.sort(key=lambda note: (note.start, note.pitch))
    following: dict[int, float] = {}
    clean: list[Note] = []
    for note in reversed(played):
        until = following.get(note.pitch, float(steps))
        if until - note.start < 0.2:
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
