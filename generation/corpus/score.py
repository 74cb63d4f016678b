"""A loop on paper: what the composer writes, the renderer plays and the shards keep."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from generation.corpus.instruments import KITS
from generation.request import METRES, Key, samples_of

Role = Literal["drums", "bass", "chords", "lead", "counter", "texture"]
ROLES: tuple[Role, ...] = ("drums", "bass", "chords", "lead", "counter", "texture")


@dataclass(frozen=True, slots=True)
class Note:
    """`start` and `length` are in sixteenth notes from the beginning of the loop."""

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Part:
    """One stem.

    `instrument` is a name of `instruments`; `figure` says what it plays ("melody", "arpeggio", "walk" ...).
    `pan` goes from -1 (left) to 1, `reverb` from 0 (dry) to 1. The notes of a texture say when it is heard and
    how strongly.
    """

    role: Role
    instrument: str
    figure: str
    notes: tuple[Note, ...]
    pan: float
    reverb: float

    @property
    def is_drums(self) -> bool:
        """Whether a drum kit plays it."""
        return self.instrument in KITS


@dataclass(frozen=True, slots=True)
class Score:
    """A loop of `bars` bars of `metre`; `bpm` counts quarter notes, `genre` is "" where it belongs to none."""

    seed: int
    genre: str
    mood: str
    bpm: int
    bars: int
    key: Key
    parts: tuple[Part, ...]
    metre: str = "4/4"

    @property
    def samples(self) -> int:
        """Length in samples at 44.1 kHz, as `RiffRequest` counts it."""
        return samples_of(self.steps, self.bpm)

    @property
    def steps(self) -> int:
        """Length in sixteenth notes."""
        return self.bars * METRES[self.metre]

    def part(self, role: str) -> Part | None:
        """The part of a role, None where the role is not played."""
        return next((part for part in self.parts if part.role == role), None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready record that `from_dict` reads back to an equal score."""
        parts = [
            {**asdict(part), "notes": [[n.start, n.length, n.pitch, n.velocity] for n in part.notes]}
            for part in self.parts
        ]
        return {**asdict(self), "key": str(self.key), "parts": parts}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read back what `to_dict` gave."""
        parts = tuple(
            Part(**{**part, "notes": tuple(Note(*note) for note in part["notes"])})
            for part in record["parts"]
        )
        return cls(**{**record, "key": Key.parse(record["key"]), "parts": parts})
