"""What a genre is, and the patterns that many of them share."""

from dataclasses import dataclass

from generation.corpus.instruments import (
    CLAP,
    CLOSED_HAT,
    KICK,
    PEDAL_HAT,
    RIDE,
    RIM,
    SHAKER,
    SNARE,
    TAMBOURINE,
)

# Percussion keys to a character per sixteenth: X accented, x played, o a ghost note.
Groove = dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Genre:
    """`minor`, `sevenths`, `ninths` (of the sevenths), `drums`, `bass`, `counter`, `texture`, `fills`, `ghosts`,
    `rolls` and `builds` are probabilities.

    `grooves` are for 4/4, `triple` for 3/4 and `compound` for 6/8; `metres` lists the metres it is played in,
    one as often as it is listed. `bpm` counts quarter notes, `compound_bpm` those of its 6/8 where they differ.
    `swing` moves every second sixteenth (`swing_unit` 1) or eighth (2) late by that many sixteenths;
    `looseness` is the standard deviation of a player's timing, in sixteenths. `flat_seventh` lowers the
    seventh of its major scale. The first Spanish name follows "de": "bucle de house".
    """

    name: str
    synonyms: tuple[str, ...]
    spanish: tuple[str, ...]
    moods: tuple[str, ...]
    bpm: tuple[int, int]
    minor: float
    sevenths: float
    grooves: tuple[Groove, ...]
    kits: tuple[str, ...]
    bass_styles: tuple[str, ...]
    basses: tuple[str, ...]
    chord_styles: tuple[str, ...]
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    density: float
    counters: tuple[str, ...] = ()
    figures: tuple[str, ...] = ("melody", "melody", "melody", "slow melody", "riff", "arpeggio")
    textures: tuple[str, ...] = ()
    progressions: str = "pop"
    metres: tuple[str, ...] = ("4/4",)
    triple: tuple[Groove, ...] = ()
    compound: tuple[Groove, ...] = ()
    compound_bpm: tuple[int, int] | None = None
    ninths: float = 0.25
    drums: float = 1.0
    bass: float = 0.93
    counter: float = 0.16
    texture: float = 0.06
    fills: float = 0.45
    ghosts: float = 0.1
    rolls: float = 0.0
    builds: float = 0.0
    swing: float = 0.0
    swing_unit: int = 1
    looseness: float = 0.03
    flat_seventh: bool = False

    def grooves_in(self, metre: str) -> tuple[Groove, ...]:
        """Its grooves in a metre, or everybody's where it has none of its own."""
        if metre == "3/4":
            return self.triple or TRIPLE
        return (self.compound or COMPOUND) if metre == "6/8" else self.grooves


QUARTERS = "x... x... x... x..."
EIGHTHS = "x.x. x.x. x.x. x.x."
SIXTEENTHS = "Xoxo Xoxo Xoxo Xoxo"
OFFBEATS = "..x. ..x. ..x. ..x."
BACKBEAT = ".... X... .... X..."

TRIPLE: tuple[Groove, ...] = (
    {KICK: "x... .... ....", SNARE: ".... x... x...", CLOSED_HAT: "x.x. x.x. x.x."},
    {KICK: "x... .... ..x.", RIM: ".... x... x...", SHAKER: "x.x. x.x. x.x."},
    {KICK: "x... .... ....", PEDAL_HAT: ".... x... x...", RIDE: "x... x.x. x..."},
    {KICK: "x... ..x. ....", SNARE: ".... .... X...", CLOSED_HAT: "x.x. x.x. x.x."},
)
COMPOUND: tuple[Groove, ...] = (
    {KICK: "x..... ......", SNARE: "...... X.....", CLOSED_HAT: "x.x.x. x.x.x."},
    {KICK: "x...x. ....x.", SNARE: "...... X.....", RIDE: "x.x.x. x.x.x."},
    {KICK: "x..... x...x.", RIM: "...... x.....", TAMBOURINE: "x.x.x. x.x.x."},
    {KICK: "x..... ..x...", CLAP: "...... X.....", SHAKER: "Xoxoxo Xoxoxo"},
)
