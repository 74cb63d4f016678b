"""What the composer writes for: General MIDI programs, their ranges and what people call them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A sound of General MIDI 1 (programs counted from 0); `low` to `high` are MIDI notes, both playable.

    `sustained` sounds last as long as the key is held, the others ring out. `chordal` ones play several notes
    at once. The first synonym is the plain name.
    """

    name: str
    program: int
    low: int
    high: int
    synonyms: tuple[str, ...]
    sustained: bool = False
    chordal: bool = True


@dataclass(frozen=True, slots=True)
class Kit:
    """A drum kit: a program of the percussion bank."""

    name: str
    program: int
    synonyms: tuple[str, ...]


def _catalogue(*instruments: Instrument) -> dict[str, Instrument]:
    return {instrument.name: instrument for instrument in instruments}


MELODIC = _catalogue(
    Instrument("piano", 0, 40, 88, ("piano", "grand piano", "acoustic piano")),
    Instrument("rhodes", 4, 45, 82, ("rhodes", "electric piano", "rhodes keys")),
    Instrument("harpsichord", 6, 45, 84, ("harpsichord", "baroque harpsichord", "cembalo")),
    Instrument("celesta", 8, 60, 96, ("celesta", "celeste")),
    Instrument("glockenspiel", 9, 72, 100, ("glockenspiel", "orchestra bells glockenspiel")),
    Instrument("music box", 10, 66, 96, ("music box", "toy music box")),
    Instrument("vibraphone", 11, 55, 86, ("vibraphone", "vibes")),
    Instrument("marimba", 12, 50, 86, ("marimba", "wooden marimba")),
    Instrument(
        "church bells",
        14,
        55,
        79,
        ("church bells", "tubular bells", "bells", "church bell", "chimes"),
        chordal=False,
    ),
    Instrument("organ", 16, 48, 82, ("organ", "hammond organ", "drawbar organ"), sustained=True),
    Instrument("church organ", 19, 41, 84, ("church organ", "pipe organ"), sustained=True),
    Instrument("accordion", 21, 52, 84, ("accordion",), sustained=True),
    Instrument("harmonica", 22, 60, 84, ("harmonica", "blues harp"), sustained=True, chordal=False),
    Instrument("nylon guitar", 24, 43, 78, ("nylon guitar", "classical guitar", "spanish guitar")),
    Instrument("acoustic guitar", 25, 43, 78, ("acoustic guitar", "steel string guitar", "folk guitar")),
    Instrument("clean guitar", 27, 43, 78, ("clean electric guitar", "clean guitar", "electric guitar")),
    Instrument(
        "distorted guitar",
        30,
        40,
        76,
        ("distorted guitar", "heavy guitar", "overdriven electric guitar"),
        sustained=True,
    ),
    Instrument("violin", 40, 57, 91, ("violin", "solo violin", "fiddle"), sustained=True, chordal=False),
    Instrument("cello", 42, 38, 72, ("cello", "violoncello"), sustained=True, chordal=False),
    Instrument("pizzicato strings", 45, 48, 84, ("pizzicato strings", "plucked strings", "pizzicato")),
    Instrument("harp", 46, 45, 90, ("harp", "concert harp")),
    Instrument("timpani", 47, 38, 57, ("timpani", "kettledrums"), chordal=False),
    Instrument("strings", 48, 45, 86, ("strings", "string section", "orchestral strings"), sustained=True),
    Instrument("synth strings", 50, 45, 84, ("synth strings", "string machine"), sustained=True),
    Instrument("choir", 52, 48, 79, ("choir", "choir voices", "aah vocals"), sustained=True),
    Instrument("trumpet", 56, 55, 84, ("trumpet",), sustained=True, chordal=False),
    Instrument("french horn", 60, 43, 74, ("french horn", "horn"), sustained=True),
    Instrument("brass", 61, 46, 80, ("brass section", "brass", "horn section"), sustained=True),
    Instrument("saxophone", 66, 46, 76, ("saxophone", "sax", "tenor sax"), sustained=True, chordal=False),
    Instrument("oboe", 68, 58, 86, ("oboe",), sustained=True, chordal=False),
    Instrument("clarinet", 71, 52, 86, ("clarinet",), sustained=True, chordal=False),
    Instrument("flute", 73, 60, 93, ("flute",), sustained=True, chordal=False),
    Instrument("pan flute", 75, 60, 88, ("pan flute", "panpipes"), sustained=True, chordal=False),
    Instrument(
        "chip lead",
        80,
        48,
        88,
        ("square wave lead", "8-bit lead", "chiptune lead", "square lead"),
        sustained=True,
    ),
    Instrument(
        "synth lead", 81, 48, 86, ("synth lead", "saw lead", "sawtooth synth", "synthesizer"), sustained=True
    ),
    Instrument("synth pad", 89, 45, 80, ("synth pad", "warm pad", "pad"), sustained=True),
    Instrument("sitar", 104, 48, 79, ("sitar",)),
    Instrument("banjo", 105, 50, 82, ("banjo",)),
    Instrument("kalimba", 108, 58, 88, ("kalimba", "thumb piano", "mbira")),
    Instrument("steel drums", 114, 55, 86, ("steel drums", "steel pan", "steelpan")),
)

BASSES = _catalogue(
    Instrument("acoustic bass", 32, 28, 55, ("upright bass", "double bass", "acoustic bass"), chordal=False),
    Instrument("finger bass", 33, 28, 55, ("bass guitar", "electric bass", "fingered bass"), chordal=False),
    Instrument("picked bass", 34, 28, 55, ("picked bass", "picked electric bass"), chordal=False),
    Instrument("fretless bass", 35, 28, 57, ("fretless bass",), chordal=False),
    Instrument("slap bass", 36, 28, 57, ("slap bass", "slapped bass"), chordal=False),
    Instrument("synth bass", 38, 28, 57, ("synth bass", "analog synth bass"), sustained=True, chordal=False),
    Instrument("sub bass", 39, 28, 52, ("sub bass", "deep synth bass"), sustained=True, chordal=False),
)

KITS = {
    kit.name: kit
    for kit in (
        Kit("standard kit", 0, ("drum kit", "acoustic drums", "drum set", "acoustic drum kit")),
        Kit("room kit", 8, ("room drum kit", "roomy acoustic drums", "drum kit")),
        Kit("power kit", 16, ("power drum kit", "hard rock drums", "loud drum kit")),
        Kit("electronic kit", 24, ("electronic drums", "electronic drum kit", "drum machine")),
        Kit("808 kit", 25, ("808 drums", "808 drum machine", "tr-808 drum machine", "808 beat")),
        Kit("jazz kit", 32, ("jazz drum kit", "jazz drums")),
        Kit("brush kit", 40, ("brush drums", "brushed drum kit", "brushes drum kit")),
        Kit("orchestral kit", 48, ("orchestral percussion", "orchestral drums", "cinematic drums")),
    )
}

# Percussion keys of General MIDI; the orchestral kit has timpani from 41 to 53 and its cymbals at 57 and 59.
KICK, RIM, SNARE, CLAP = 36, 37, 38, 39
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
LOW_TOM, MID_TOM, HIGH_TOM = 45, 47, 50
CRASH, RIDE, TAMBOURINE, COWBELL = 49, 51, 54, 56
HIGH_CONGA, LOW_CONGA, SHAKER, CLAVES = 63, 64, 70, 75
TIMPANI_LOW, TIMPANI_HIGH, CONCERT_CYMBAL = 41, 48, 59
