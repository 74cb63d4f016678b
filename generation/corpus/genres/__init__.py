"""How each genre is played: tempo, metre, harmony, grooves, who plays what, and what people call it."""

from generation.corpus.genres.bands import BANDS
from generation.corpus.genres.dance import DANCE
from generation.corpus.genres.genre import Genre, Groove
from generation.corpus.genres.roots import ROOTS

__all__ = ["GENRES", "NEUTRAL", "Genre", "Groove"]

GENRES: dict[str, Genre] = {genre.name: genre for genre in (*DANCE, *BANDS, *ROOTS)}

# For a few players who play in no particular genre.
NEUTRAL = Genre(
    name="",
    synonyms=(),
    spanish=(),
    moods=(
        "simple", "gentle", "expressive", "melancholic", "lively", "solemn", "happy", "sad",
        "dreamy", "calm", "playful",
    ),
    bpm=(60, 170),
    minor=0.5,
    sevenths=0.3,
    grooves=(),
    kits=(),
    bass_styles=(
        "long", "halves", "root and fifth", "syncopated", "eighths", "octaves", "walk", "funk", "riff", "riff",
    ),
    basses=(),
    chord_styles=("arpeggio", "arpeggio", "sustained", "eighths", "stabs", "strums"),
    chords=(),
    leads=(),
    density=0.5,
    drums=0.0,
    metres=("4/4",) * 15 + ("3/4",) * 5 + ("6/8",) * 2,
    compound_bpm=(70, 160),
)  # fmt: skip
