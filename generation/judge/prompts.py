"""What the listening page asks for: written before any of it was heard, and not to be tuned on.

Nothing else in this project may use these prompts: neither training, nor a test of quality, nor a default.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listening:
    """A prompt under its heading; length, tempo, metre and key only where somebody would give them."""

    heading: str
    prompt: str
    bars: int = 4
    bpm: float | None = None
    metre: str | None = None
    key: str | None = None


PROMPTS = (
    Listening("One instrument", "church bells", bars=2),
    Listening("One instrument", "solo piano, slow and sad"),
    Listening("One instrument", "nylon guitar arpeggio", key="Em"),
    Listening("One instrument", "a lonely trumpet", bars=2),
    Listening("One instrument", "kalimba melody", bpm=96),
    Listening("One instrument", "cello, long notes", bpm=66, bars=2),
    Listening("One instrument", "slap bass riff", key="E minor", bpm=108),
    Listening("One instrument", "accordion", bpm=120, bars=2),
    Listening("One instrument", "music box lullaby", bars=2),
    Listening("One instrument", "acid lead", bpm=132),
    Listening("One instrument", "brush drums", bpm=92, bars=2),
    Listening("One instrument", "808 drums", bpm=140, bars=2),
    Listening("Bands", "deep house with rhodes and a round bass"),
    Listening("Bands", "dark techno, driving, no melody", bpm=134),
    Listening("Bands", "drum and bass with an airy pad"),
    Listening("Bands", "dusty boom bap beat with upright bass"),
    Listening("Bands", "jazz trio late at night", bpm=116),
    Listening("Bands", "bossa nova with flute", key="D"),
    Listening("Bands", "reggae skank with organ"),
    Listening("Bands", "heavy metal riff, double kick", bpm=164, bars=2),
    Listening("Bands", "funk groove with clean guitar and brass"),
    Listening("Bands", "synthwave, neon and rain"),
    Listening("Bands", "chiptune boss fight", bpm=168),
    Listening("Bands", "trance with a big saw lead", key="F# minor"),
    Listening("Bands", "trap beat with bells", bpm=142),
    Listening("Bands", "country banjo and fiddle", bpm=128, bars=2),
    Listening("Bands", "salsa with piano and brass", bars=2),
    Listening("Bands", "string quartet, classical", bpm=84),
    Listening("Moods", "something warm and hopeful"),
    Listening("Moods", "tense and menacing, for a chase", bpm=150),
    Listening("Moods", "sleepy lofi for studying"),
    Listening("Moods", "bright and happy ukulele mood", bars=2),
    Listening("Moods", "cold empty space ambient", bars=2),
    Listening("Textures", "rain on a window", bars=1),
    Listening("Textures", "typing on a keyboard", bpm=100, bars=2),
    Listening("Textures", "vinyl crackle under a slow piano", bars=2),
    Listening("Textures", "ocean waves and a soft pad", bpm=60, bars=2),
    Listening("Other metres", "a slow waltz for piano and strings", metre="3/4", bpm=92),
    Listening("Other metres", "irish jig with flute and fiddle", metre="6/8", bpm=168),
    Listening("Other metres", "afrobeat shuffle in six", metre="6/8", bpm=120),
    Listening("Español", "guitarra española triste", key="Am"),
    Listening("Español", "techno oscuro con campanas de iglesia", bpm=130),
    Listening("Español", "cumbia alegre con acordeón", bpm=96),
    Listening("Odd ones", "church bells into electronic beats"),
    Listening("Odd ones", "a robot learning to tango", bpm=118, bars=2),
    Listening("Odd ones", "steel drums in a thunderstorm"),
    Listening("Odd ones", "medieval dubstep with harpsichord", bpm=140),
    Listening("Odd ones", "elevator music for a submarine", bars=2),
)
