"""One riff as it is asked for (`RiffRequest`) and as it comes back (`Riff`).

Every door (slash command, web form, REST, command line) turns what it was given into a `RiffRequest` with
`RiffRequest.parse`, which refuses bad input in a sentence. Behind the door nothing is checked again.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generation import arrangement as arrangements
from generation import fields
from generation.arrangement import Arrangement, Extend, Layers, Morph, Repaint, Song, kind_of
from generation.errors import InvalidRequest
from generation.fields import MAX_SEED
from generation.form import plan
from generation.presets import preset_of
from generation.prompt import parse_prompt

SAMPLE_RATE = 44_100
# Sixteenth notes in a bar. Tempo counts quarter notes in all of them, as sequencers do.
METRES = {"4/4": 16, "3/4": 12, "6/8": 12}
BARS = (1, 16)
BPM = (40, 240)
TAKES = (1, 4)
STEPS = (1, 100)
GUIDANCE_SCALE = (1.0, 15.0)
STRENGTH = (0.05, 1.0)
KEEPS = ("", "groove", "harmony")
DEFAULT_BPM = 120.0

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTAL = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_KEY = re.compile(r"([A-G])\s*(#|♯|b|♭|sharp|flat)?\s*(m|min|minor|maj|major|M)?", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BPM_IN_PROMPT = re.compile(r"\b(\d{2,3}(?:\.\d+)?)\s*bpm\b", re.IGNORECASE)
# With a capital letter: "in a minor key" names none.
_KEY_IN_PROMPT = re.compile(
    r"\b([A-G])(?:(#|♯|b|♭)|[ -](sharp|flat))?[ -](minor|major|min|maj)\b(?![ -](?:key|mood|mode|feel))"
)
_METRE_IN_PROMPT = {
    "4/4": re.compile(r"\b4/4\b"),
    "3/4": re.compile(r"\b(3/4|waltz|waltzes|vals|minuet|mazurka|ländler)\b", re.IGNORECASE),
    "6/8": re.compile(r"\b(6/8|jig|tarantella|barcarolle|siciliana|sea shanty)\b", re.IGNORECASE),
}

# Where a genre names a tempo and the person does not: about the middle of what the genre is played at. The longest
# name that a prompt contains counts, so that "acid jazz" is jazz and "dubstep" is not dub.
GENRE_BPM = {
    "drum and bass": 174, "drum n bass": 174, "dnb": 174, "jungle": 170, "trap": 140, "drill": 142, "techno": 132,
    "trance": 138, "house": 124, "disco": 118, "boom bap": 90, "hip hop": 90, "lofi": 78, "lo-fi": 78,
    "chillhop": 78, "funk": 106, "metal": 160, "rock": 124, "bossa nova": 126, "samba": 126, "reggae": 78,
    "dub": 76, "ambient": 72, "synthwave": 100, "salsa": 108, "folk": 100, "jazz": 132, "swing": 140,
    "acid": 128, "minimal techno": 125, "hardstyle": 160, "hardcore": 165, "gabber": 168, "dubstep": 140,
    "uk garage": 132, "two step": 132, "2-step": 132, "vaporwave": 72, "retrowave": 100, "synthpop": 118,
    "chiptune": 138, "8-bit": 138, "blues": 95, "phonk": 142, "pop": 108, "punk": 165, "ska": 138,
    "soul": 90, "rnb": 90, "gospel": 95, "doo-wop": 90, "country": 116, "drone": 72, "orchestral": 100,
    "cinematic": 88, "film score": 95, "classical": 104, "baroque": 104, "latin": 108, "cuban": 108, "waltz": 140,
    "lullaby": 80, "celtic": 118, "irish": 118, "jig": 160, "sea shanty": 146, "shanty": 146, "flamenco": 108,
    "tango": 115, "cumbia": 96, "reggaeton": 95, "dembow": 95, "dancehall": 95, "afrobeat": 108, "highlife": 108,
    "world music": 98, "tribal": 98,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """A musical key: `tonic` is a pitch class (0 = C ... 11 = B)."""

    tonic: int
    minor: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "Am", "F# minor", "Bb", "C major" or "e flat min"; raises InvalidRequest for anything else."""
        match = _KEY.fullmatch(text.strip())
        if match is None:
            raise InvalidRequest(
                "key", f"{fields.quoted(text)} is not a key: write it like Am, F#, Bb minor or C major."
            )
        letter, accidental, mode = match[1].upper(), (match[2] or "").lower(), match[3] or ""
        minor = mode == "m" or mode.lower() in ("min", "minor")
        return cls((_PITCH_CLASS[letter] + _ACCIDENTAL[accidental]) % 12, minor)

    def __str__(self) -> str:
        return TONICS[self.tonic] + ("m" if self.minor else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiffRequest:
    """What to make. The same request gives the same bytes; take k is the request with seed + k.

    `variation_seed` and `variation` (0 to 1) turn the starting noise that far towards another seed's, on the
    sphere: near variations of a take that is already liked. `morph` (0 to 1) is how far the prompt is on its way to
    the prompt `morph_to`. `source` is the SHA-256 of the 24-bit PCM of a sound to start from, `strength` (0 to 1) how
    little is left of it, and `keep` what of it stays for certain: "groove" or "harmony". `arrangement` is what
    is asked for beyond one loop.
    """

    prompt: str
    seed: int
    bars: int = 4
    bpm: float = DEFAULT_BPM
    metre: str = "4/4"
    key: Key | None = None
    takes: int = 1
    negative_prompt: str = ""
    steps: int = 8
    guidance_scale: float = 3.5
    variation_seed: int | None = None
    variation: float = 0.0
    morph_to: str = ""
    morph: float = 0.0
    strength: float = 1.0
    source: str = ""
    keep: str = ""
    arrangement: Arrangement | None = None

    @classmethod
    def parse(
        cls,
        *,
        prompt: object,
        preset: object = None,
        bars: object = None,
        bpm: object = None,
        metre: object = None,
        key: object = None,
        seed: object = None,
        takes: object = None,
        negative_prompt: object = None,
        steps: object = None,
        guidance_scale: object = None,
        variation_seed: object = None,
        variation: object = None,
        morph_to: object = None,
        morph: object = None,
        strength: object = None,
        source: object = None,
        keep: object = None,
        arrangement: object = None,
    ) -> Self:
        """Check what a door was given and fill in what it was not.

        None and "" stand for "not given", and a preset fills what was not given. A missing tempo is read from the
        prompt ("90 bpm", or its genre's) and so are a missing metre ("waltz", "6/8") and key ("in E minor"); a missing
        seed is drawn. A source without more said is remixed at a strength of 0.6. Raises InvalidRequest with field and
        sentence.
        """
        chosen = preset_of(preset)

        def given(field: str, value: object) -> object:
            return chosen.get(field) if value in (None, "") else value

        text = fields.text("prompt", prompt, "The prompt")
        if not parse_prompt(text).text:
            raise InvalidRequest("prompt", "The prompt is empty: say what you want to hear.")
        request = cls(
            prompt=text,
            seed=fields.whole("seed", seed, (0, MAX_SEED), secrets.randbelow(MAX_SEED + 1)),
            bars=fields.whole("bars", given("bars", bars), BARS, 4),
            bpm=fields.number("bpm", given("bpm", bpm), BPM, bpm_of(text)),
            metre=metre_of(text) if metre in (None, "") else _metre(metre),
            key=key_of(text) if key in (None, "") else Key.parse(str(key)),
            takes=fields.whole("takes", given("takes", takes), TAKES, 1),
            negative_prompt=fields.text(
                "negative_prompt", given("negative_prompt", negative_prompt), "The negative prompt"
            ),
            steps=fields.whole("steps", given("steps", steps), STEPS, 8),
            guidance_scale=fields.number(
                "guidance_scale", given("guidance_scale", guidance_scale), GUIDANCE_SCALE, 3.5
            ),
            variation_seed=None
            if variation_seed in (None, "")
            else fields.whole("variation_seed", variation_seed, (0, MAX_SEED), 0),
            variation=fields.number("variation", variation, (0.0, 1.0), 0.0),
            morph_to=fields.text("morph_to", morph_to, "The prompt to morph to"),
            morph=fields.number("morph", morph, (0.0, 1.0), 0.0),
            source=_source(source),
            keep=fields.choice("keep", keep, KEEPS, ""),
        )
        request = replace(
            request,
            arrangement=arrangements.parse(arrangement, bars=request.bars),
        )
        remixed = request.source and not request.keep and request.arrangement is None
        request = replace(
            request, strength=fields.number("strength", strength, STRENGTH, 0.6 if remixed else 1.0)
        )
        request._require_parts()
        return request

    def _require_parts(self) -> None:
        """Refuse parts of a request that need one another, or do not go together."""
        arrangement = self.arrangement
        if isinstance(arrangement, Repaint | Extend) or self.keep:
            if not self.source:
                what = "keep" if self.keep else "arrangement"
                raise InvalidRequest("source", f"There is nothing to start from: {what} needs a source.")
        elif arrangement is not None and self.source:
            raise InvalidRequest(
                "source", f"A {kind_of(arrangement)} starts from prompts only, without a source."
            )
        if isinstance(arrangement, Morph | Song | Layers) and self.takes > 1:
            raise InvalidRequest("takes", f"A {kind_of(arrangement)} is made once: leave takes at 1.")
        if isinstance(arrangement, Song):
            plan(self, arrangement.seconds, arrangement.form)

    @property
    def sixteenths(self) -> int:
        """Length of the loop in sixteenth notes."""
        return self.bars * METRES[self.metre]

    @property
    def samples(self) -> int:
        """Length of the loop in samples at 44.1 kHz: sixteenths x 15 / bpm seconds, rounded once."""
        return samples_of(self.sixteenths, self.bpm)

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    @property
    def name(self) -> str:
        """A file name for the loop, without its ending: prompt, tempo, key, seed, and what else tells it apart."""
        key = "" if self.key is None else "-" + str(self.key).replace("#", "s")
        return "-".join(
            [f"{_words(self.prompt, 48) or 'riff'}-{self.bpm:g}bpm{key}-{self.seed}", *self._marks()]
        )

    def _marks(self) -> Iterator[str]:
        if self.morph_to and self.morph:
            yield f"to-{_words(self.morph_to, 24) or 'riff'}-{self.morph:.0%}".rstrip("%")
        if self.variation_seed is not None and self.variation:
            yield f"near-{self.variation_seed}-{self.variation:.0%}".rstrip("%")
        if self.source:
            yield f"from-{self.source[:6]}" + (
                f"-{self.strength:.0%}".rstrip("%") if self.strength < 1 else ""
            )
        if self.keep:
            yield self.keep
        match self.arrangement:
            case Repaint(first, last, low, high):
                yield f"bars{first}-{last}"
                if low is not None:
                    yield f"above-{low:g}hz"
                if high is not None:
                    yield f"below-{high:g}hz"
            case Extend(bars, side):
                yield f"{bars}-{side}"
            case Morph(prompts, loops, over):
                yield "-".join(["morph", _words(" ".join(prompts), 24), f"{loops}-{over}"])
            case Song(seconds, form):
                yield "-".join(["song", f"{seconds:g}s", *filter(None, [_words(form, 32)])])
            case Layers(prompts):
                yield "-".join(["layers", *filter(None, [_words(" ".join(text for _, text in prompts), 32)])])

    def take(self, index: int) -> Self:
        """The request that gives take `index` of this one by itself."""
        return replace(self, seed=(self.seed + index) % (MAX_SEED + 1), takes=1)

    def again(self) -> Self:
        """The same wish with a fresh seed."""
        return replace(self, seed=secrets.randbelow(MAX_SEED + 1), variation_seed=None, variation=0.0)

    def vary(self, amount: float = 0.35) -> Self:
        """A near variation: this request's noise turned by `amount` towards a fresh seed's."""
        return replace(self, takes=1, variation_seed=secrets.randbelow(MAX_SEED + 1), variation=amount)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready record that `from_dict` reads back to an equal request."""
        return {
            **asdict(self),
            "key": None if self.key is None else str(self.key),
            "arrangement": arrangements.to_record(self.arrangement),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        return cls(
            **{
                **record,
                "key": None if record["key"] is None else Key.parse(record["key"]),
                "arrangement": arrangements.from_record(record.get("arrangement")),
            }
        )


@dataclass(frozen=True, slots=True)
class Take:
    """One candidate of a riff.

    `audio` is (samples, 2) float32 in [-1, 1] at 44.1 kHz; `image` is (frames, bands) uint8, the spectrogram's
    level over 80 dB; `recipe` is everything that is needed to render the same bytes again. `stems` are the layers that
    the audio is the sum of, by role, where it was made of layers.
    """

    audio: NDArray[np.float32]
    image: NDArray[np.uint8]
    recipe: dict[str, Any]
    stems: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Riff:
    """A finished order: its request, its takes, and the seconds that each phase took."""

    request: RiffRequest
    takes: tuple[Take, ...]
    timings: dict[str, float]


def bpm_of(prompt: str) -> float:
    """The tempo that a prompt names, in words or by its genre; 120 where it names none."""
    written = _BPM_IN_PROMPT.search(prompt)
    if written and BPM[0] <= float(written[1]) <= BPM[1]:
        return float(written[1])
    words = prompt.lower()
    found = [genre for genre in GENRE_BPM if re.search(rf"\b{re.escape(genre)}\b", words)]
    return float(GENRE_BPM[max(found, key=len)]) if found else DEFAULT_BPM


def key_of(prompt: str) -> Key | None:
    """The key that a prompt names, like "E minor" or "B flat major"; None where it names none."""
    found = _KEY_IN_PROMPT.search(prompt)
    return None if found is None else Key.parse(f"{found[1]}{found[2] or found[3] or ''} {found[4]}")


def metre_of(prompt: str) -> str:
    """The metre that a prompt names, as a fraction or by its dance; 4/4 where it names none."""
    return next((metre for metre, words in _METRE_IN_PROMPT.items() if words.search(prompt)), "4/4")


def samples_of(sixteenths: int, bpm: float) -> int:
    """Samples at 44.1 kHz of so many sixteenth notes, rounded once."""
    return round(sixteenths * 15 * SAMPLE_RATE / bpm)


def _metre(value: object) -> str:
    metre = str(value).replace(" ", "")
    if metre not in METRES:
        raise InvalidRequest(
            "metre", f"{fields.quoted(value)} is not a metre that can be played: choose 4/4, 3/4 or 6/8."
        )
    return metre


def _source(value: object) -> str:
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise InvalidRequest("source", f"{fields.quoted(value)} is not the SHA-256 of a sound.")
    return value


def _words(text: str, length: int) -> str:
    """Text as a part of a file name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:length].strip("-")
