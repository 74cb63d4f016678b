"""Songs: sections made of loops of one key, tempo and material, joined on bar lines, streamed while they are made.

How a song comes about, phrase by phrase (a phrase is one loop of the request's bars):

- The theme A is rendered once. A' and the phrases within a section are the theme's noise turned a little or the theme
  painted over at a low strength; B, C and D begin from the theme's noise turned far, with a prompt of their own. So
  harmony is shared, and sections of a letter are more alike than others.
- Sections without drums start from what rings in a loop (median filters over its spectrogram tell it from what
  strikes), which the model then paints over. They open or close a filter while they last.
- The last bar of a section is repainted with a fill or a build-up.
- A join lies before the bar line: the last 12 ms fade into the next loop's own end, which its start runs on from, so
  that the downbeat is the next loop's alone. What sounded rings on under it in a short room.
- The end is the theme's first stroke in a long room.
- Levels are planned beforehand, each loop is brought to its own, and a limiter holds the peaks: the whole comes to
  -14 LUFS without ever being in memory.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from generation.arrange import repaint
from generation.arrange.layers import has_drums, ringing
from generation.arrangement import Repaint, Song
from generation.audio.crossfade import crossfaded
from generation.audio.export import wav_stream
from generation.audio.limiter import Limiter, limit_loop
from generation.audio.loudness import TARGET_LUFS, loudness
from generation.engine import Progress, Renderer
from generation.errors import Cancelled, NotPossible
from generation.form import Section, plan
from generation.request import METRES, SAMPLE_RATE, Key, RiffRequest, samples_of
from generation.spectrogram.codec import DYNAMIC_RANGE_DB, SpectrogramCodec

Audio = NDArray[np.float32]
Name = TypeVar("Name")

CEILING = 10 ** (-1.2 / 20)
PICTURE_FRAMES = 2048
PEAKS = 1024
# How far the noise is turned: for another variation of the theme, and for another letter.
_VARIATION, _CONTRAST = 0.42, 0.88
# Strengths at which a loop is painted over: within a section, for a variation of another letter than A, without drums.
_TURN_STRENGTH, _VARIATION_STRENGTH, _THIN_STRENGTH = 0.5, 0.7, 0.5
_FADE_SECONDS = 0.012
_LOOPS_KEPT = 6
_LOUDEST_GAIN = 10 ** (12 / 20)
_LEVELLING_ROUNDS, _LEVEL_TOLERANCE_DB = 4, 0.2
_DRUMS = "drums, beat, percussion"
# Where the filter of an opening or closing section begins or ends.
_DARK_HZ = 900.0


@dataclass(frozen=True, slots=True)
class SongPart:
    """`bars` bars from bar `bar` of a song, in section number `section`: `audio` (samples, 2) from sample `start`."""

    section: int
    bar: int
    bars: int
    start: int
    audio: Audio


@dataclass(frozen=True, slots=True)
class SongFile:
    """A finished song at `path`.

    `level` is its picture, (frames, bands) uint8 as in a Take but coarse, and `peaks` the largest magnitude in each of
    equal stretches; neither grows with the song.
    """

    path: Path
    recipe: dict[str, Any]
    level: NDArray[np.uint8]
    peaks: list[float]


def sections_of(request: RiffRequest) -> tuple[Section, ...]:
    """The plan of the song that a request asks for."""
    song = request.arrangement
    assert isinstance(song, Song)
    return plan(request, song.seconds, song.form)


def stream(
    engine: Renderer,
    request: RiffRequest,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[SongPart]:
    """The parts of a song in order, each as soon as it is certain; together they are the song, sample by sample.

    Progress counts sections as takes. Raises NotPossible for a model that cannot vary, remix and repaint, and
    Cancelled once `cancelled()` is true.
    """
    sections = sections_of(request)
    missing = {"variation", "remix", "repaint"} - engine.can
    if missing:
        raise NotPossible(
            f"{engine.model_id} cannot make a song: its sections share material, and the model can do no "
            f"{' and no '.join(sorted(missing))}."
        )
    request = replace(request, key=key_of(request))
    material = _Material(engine, request, _Steps(len(sections), request.steps, on_progress, cancelled))
    levels = _base_level(sections)
    limiter, waiting, ready = Limiter(CEILING), list[_Phrase](), np.zeros((0, 2), np.float32)

    def parts() -> Iterator[SongPart]:
        nonlocal ready
        while waiting and len(ready) >= (length := waiting[0].samples):
            phrase = waiting.pop(0)
            yield SongPart(phrase.section, phrase.bar, phrase.bars, phrase.start, ready[:length])
            ready = ready[length:]

    for phrase, audio in _joined(_phrases(material, sections, levels), request):
        waiting.append(phrase)
        ready = np.concatenate([ready, limiter.push(audio)])
        yield from parts()
    ready = np.concatenate([ready, limiter.finish()])
    yield from parts()


def write(
    engine: Renderer,
    request: RiffRequest,
    wav_path: Path,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SongFile:
    """Make a song and write it to `wav_path` as it is made; the file is there as a whole or not at all.

    Raises what `stream` raises, and StorageFull.
    """
    sections = sections_of(request)
    keyed = replace(request, key=key_of(request))
    picture = _Picture(_start(request, sections[-1].start + sections[-1].bars))
    with wav_stream(wav_path, keyed) as out:
        for part in stream(engine, request, on_progress, cancelled):
            out.write(part.audio)
            picture.add(part.audio)
        recipe = {
            "request": request.to_dict(),
            "model": engine.model_id,
            "codec": SpectrogramCodec().name,
            "samples": out.samples,
            "sha256": out.sha256,
            "song": {"key": str(keyed.key), "sections": [_record(request, section) for section in sections]},
        }
        out.finish(recipe)
    return SongFile(wav_path, recipe, picture.level(), picture.peaks())


def key_of(request: RiffRequest) -> Key:
    """The request's key, or one that its seed chooses."""
    random = Random(request.seed)
    return request.key or Key(random.randrange(12), random.random() < 0.6)


def _record(request: RiffRequest, section: Section) -> dict[str, Any]:
    """A section of the plan as the recipe tells it."""
    start, end = (_start(request, bar) for bar in (section.start, section.start + section.bars))
    return {
        **asdict(section),
        "seconds": round(start / SAMPLE_RATE, 3),
        "sample": start,
        "samples": end - start,
    }


def _start(request: RiffRequest, bar: int) -> int:
    """The sample at which a bar of the song begins."""
    return samples_of(bar * METRES[request.metre], request.bpm)


def _base_level(sections: tuple[Section, ...]) -> float:
    """LUFS of a section at 0 dB that bring the song to -14: the mean of the power over what the gate lets through."""
    points = np.concatenate(
        [section.level_db + np.linspace(0, section.swell_db, section.bars * 8) for section in sections[:-1]]
    )
    heard = points[points > 10 * np.log10(np.mean(10 ** (points / 10))) - 10]
    return TARGET_LUFS - float(10 * np.log10(np.mean(10 ** (heard / 10))))


@dataclass(frozen=True, slots=True)
class _Loop:
    """Which loop: the letter's, its variation, the phrase's turn within a section, without drums, how it ends."""

    letter: str
    variation: int
    turn: int = 0
    is_thin: bool = False
    ending: str = ""


@dataclass(slots=True)
class _Phrase:
    """Sound for `bars` bars from `bar`, its level set; `before` is what would sound just before it."""

    section: int
    bar: int
    bars: int
    start: int
    audio: Audio
    before: Audio

    @property
    def samples(self) -> int:
        return len(self.audio)


def _phrases(material: "_Material", sections: tuple[Section, ...], level: float) -> Iterator[_Phrase]:
    request = material.request
    fade = round(_FADE_SECONDS * SAMPLE_RATE)
    for index, section in enumerate(sections[:-1]):
        count = math.ceil(section.bars / request.bars)
        for number in range(count):
            material.steps.enter(index, number, count)
            done = number * request.bars
            bars = min(request.bars, section.bars - done)
            is_last = number == count - 1
            loop = _Loop(
                section.letter,
                section.variation,
                (0, 1, 0, 2)[number % 4],
                section.is_thin,
                section.ending if is_last else "",
            )
            start, end = (_start(request, section.start + done + more) for more in (0, bars))
            # What is shorter than its loop ends as it does, so that it leads on.
            first = _start(request, request.bars - bars)
            turned = np.arange(first - fade, first + end - start)
            loudest = level + section.level_db + max(0.0, section.swell_db)
            sound = np.take(material.loop(loop, section.addition, loudest), turned, axis=0, mode="wrap")
            if section.swell_db:
                share = np.linspace(done / section.bars, (done + bars) / section.bars, len(sound))
                sound = _swept(sound, share if section.swell_db > 0 else 1 - share)
                sound = sound * _gain(share[:, None] * section.swell_db - max(0.0, section.swell_db))
            yield _Phrase(index, section.start + done, bars, start, sound[fade:], sound[:fade])
    last = sections[-1]
    material.steps.enter(len(sections) - 1, 0, 1)
    start, end = (_start(request, bar) for bar in (last.start, last.start + last.bars))
    theme = material.loop(_Loop("A", 0), "", level + last.level_db)
    stroke = _last_stroke(theme, end - start, samples_of(4, request.bpm))
    yield _Phrase(len(sections) - 1, last.start, last.bars, start, stroke, theme[-fade:])
    material.steps.done()


def _joined(phrases: Iterator[_Phrase], request: RiffRequest) -> Iterator[tuple[_Phrase, Audio]]:
    """Each phrase with its end faded into what comes next, and its beginning under what rings on from before."""
    room = _room(0.9)
    previous: _Phrase | None = None
    for phrase in phrases:
        if previous is not None:
            end = previous.audio[-len(phrase.before) :]
            end[:] = crossfaded(end, phrase.before)
            if previous.section != phrase.section:
                stroke = previous.audio[-samples_of(2, request.bpm) :]
                rung = scipy.signal.oaconvolve(stroke, room, axes=0)[len(stroke) :]
                length = min(len(rung), len(phrase.audio))
                phrase.audio[:length] += (0.3 * rung[:length]).astype(np.float32)
            yield previous, previous.audio
        previous = phrase
    assert previous is not None
    yield previous, previous.audio


def _swept(sound: Audio, openness: NDArray[np.float64]) -> Audio:
    """The sound through a filter that is open at 1 and lets little through above `_DARK_HZ` at 0."""
    spectrum = np.fft.rfft(sound, axis=0)
    ratio = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) / _DARK_HZ
    dark = np.fft.irfft(spectrum / (1 + ratio**4)[:, None], n=len(sound), axis=0)
    share = (openness**2)[:, None]
    return np.asarray(dark + (sound - dark) * share, np.float32)


def _last_stroke(theme: Audio, samples: int, beat: int) -> Audio:
    """The theme's first beat, which dies away in a long room until nothing is left."""
    place = np.arange(beat * 2)
    stroke = np.take(theme, place, axis=0, mode="wrap") * (10 ** (-place / beat * 1.2))[:, None].astype(
        np.float32
    )
    dry = np.zeros((samples, 2), np.float32)
    length = min(len(stroke), samples)
    dry[:length] = stroke[:length]
    wet = scipy.signal.oaconvolve(stroke, _room(2.8), axes=0)[:samples]
    sound = dry
    sound[: len(wet)] += (0.6 * wet).astype(np.float32)
    close = np.clip((samples - np.arange(samples)) / (0.35 * samples), 0, 1)
    return np.asarray(sound * np.square(np.sin(close * math.pi / 2))[:, None], np.float32)


def _room(seconds: float) -> Audio:
    """The echo of a room that dies away by 60 dB in so many seconds, the faster the higher; of energy 1 per channel."""
    random = np.random.default_rng(2026)
    length = round(seconds * SAMPLE_RATE)
    place = np.arange(length)[:, None] / length
    echo = np.zeros((length, 2))
    for low, high, share in ((180, 900, 1.0), (900, 3500, 0.75), (3500, 12_000, 0.45)):
        band = scipy.signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos")
        noise = scipy.signal.sosfilt(band, random.standard_normal((length, 2)), axis=0)
        echo += share * noise * 10 ** (-3 * place / share)
    attack = np.minimum(1, np.arange(length) / (0.004 * SAMPLE_RATE))[:, None]
    echo *= attack
    return np.asarray(echo / np.sqrt(np.square(echo).sum(0)), np.float32)


class _Material:
    """The song's loops, each rendered when it is first asked for; only the latest few stay in memory."""

    def __init__(self, engine: Renderer, request: RiffRequest, steps: "_Steps") -> None:
        self.request, self.steps = replace(request, arrangement=None, takes=1), steps
        self._engine = engine
        self._drums = has_drums(request.prompt)
        self._rendered_loops = _Latest[tuple[_Loop, str]]()
        self._levelled_loops = _Latest[tuple[_Loop, str, float]]()

    def loop(self, loop: _Loop, addition: str, lufs: float) -> Audio:
        """A loop at so many LUFS, (request.samples, 2)."""
        return self._levelled_loops.get(
            (loop, addition, lufs), lambda: _levelled(self._rendered(loop, addition), lufs)
        )

    def _rendered(self, loop: _Loop, addition: str) -> Audio:
        return self._rendered_loops.get((loop, addition), lambda: self._render(loop, addition))

    def _render(self, loop: _Loop, addition: str) -> Audio:
        request, seed = self.request, self._seed(loop)
        if loop.ending:
            return self._ended(loop, addition)
        if loop.is_thin:
            source = ringing(self._rendered(replace(loop, is_thin=False), ""))
            negative = ", ".join(filter(None, (request.negative_prompt, _DRUMS)))
            if "negative_prompt" in self._engine.can:
                request = replace(request, negative_prompt=negative)
            return self._painted(replace(self._said(request, addition), strength=_THIN_STRENGTH), source)
        request = self._said(request, ", ".join(filter(None, ("with drums" * self._drums, addition))))
        if loop.turn:
            source = self._rendered(replace(loop, turn=0), addition)
            return self._painted(replace(request, seed=seed, strength=_TURN_STRENGTH), source)
        if loop.letter == "A":
            if loop.variation:
                request = replace(request, variation_seed=seed, variation=_VARIATION)
            return self._painted(request)
        if loop.variation:
            source = self._rendered(replace(loop, variation=0), addition)
            return self._painted(replace(request, seed=seed, strength=_VARIATION_STRENGTH), source)
        return self._painted(replace(request, variation_seed=seed, variation=_CONTRAST))

    def _ended(self, loop: _Loop, addition: str) -> Audio:
        """The loop with its last bar painted anew: a fill, a build-up, or where there are no drums, another turn."""
        source = self._rendered(replace(loop, ending=""), addition)
        says = (
            {"fill": "with a drum fill", "build": "build up, with a snare roll"}[loop.ending]
            if self._drums
            else addition
        )
        request = self._said(self.request, says)
        bars = self.request.bars
        request = replace(request, seed=self._seed(loop), arrangement=Repaint(bars, bars))
        riff = repaint.perform(self._engine, request, source, self.steps.report, self.steps.cancelled)
        self.steps.rendered()
        return riff.takes[0].audio

    def _painted(self, request: RiffRequest, source: Audio | None = None) -> Audio:
        riff = self._engine.render(request, self.steps.report, self.steps.cancelled, source)
        self.steps.rendered()
        return riff.takes[0].audio

    def _said(self, request: RiffRequest, addition: str) -> RiffRequest:
        """The request with more in its prompt, before it where the text encoder might not get to its end."""
        if not addition:
            return request
        prompt, is_long = request.prompt, len(request.prompt.split()) > 14
        return replace(request, prompt=f"{addition}, {prompt}" if is_long else f"{prompt}, {addition}")

    def _seed(self, loop: _Loop) -> int:
        label = f"{self.request.seed} {loop.letter} {loop.variation} {loop.turn} {loop.ending}"
        return int.from_bytes(hashlib.sha256(label.encode()).digest()[:4])


class _Latest(Generic[Name]):
    """The sounds that were asked for last, by name."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Name, Audio] = OrderedDict()

    def get(self, name: Name, make: Callable[[], Audio]) -> Audio:
        """What has that name, made where it is not here any more."""
        if name not in self._kept:
            self._kept[name] = make()
        self._kept.move_to_end(name)
        while len(self._kept) > _LOOPS_KEPT:
            self._kept.popitem(last=False)
        return self._kept[name]


def _levelled(loop: Audio, lufs: float) -> Audio:
    """A loop at so many LUFS with its peaks below the ceiling; what the limiter takes away is made up for."""
    measured = loudness(loop)
    if math.isinf(measured):
        return loop
    gain = min(_LOUDEST_GAIN, 10 ** ((lufs - measured) / 20))
    levelled = limit_loop(loop * np.float32(gain), CEILING)
    for _ in range(_LEVELLING_ROUNDS):
        missing = lufs - loudness(levelled)
        if missing < _LEVEL_TOLERANCE_DB or gain >= _LOUDEST_GAIN:
            break
        gain = min(_LOUDEST_GAIN, gain * 10 ** (1.7 * missing / 20))
        levelled = limit_loop(loop * np.float32(gain), CEILING)
    return levelled


@dataclass
class _Steps:
    """Turns the progress of single loops into that of the song: sections are takes, and nothing goes backwards."""

    sections: int
    steps: int
    on_progress: Callable[[Progress], None] | None
    cancelled: Callable[[], bool] | None
    _section: int = 0
    _from: float = 0.0
    _to: float = 1.0

    def enter(self, section: int, phrase: int, phrases: int) -> None:
        """Phrase number `phrase` of a section begins."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled
        self._section, self._from, self._to = section, phrase / phrases, (phrase + 1) / phrases
        self._tell("denoising", self._from, None)

    def report(self, at: Progress) -> None:
        """A loop of the phrase is being rendered."""
        # Nobody knows how many more loops the phrase needs: each takes half of what is left.
        share = self._from + (self._to - self._from) / 2 * at.fraction
        self._tell(at.phase, share, at.preview)

    def rendered(self) -> None:
        """A loop of the phrase is there."""
        self._from += (self._to - self._from) / 2

    def done(self) -> None:
        """Nothing is left to render."""
        self._section = self.sections - 1
        self._tell("decoding", 1.0, None)

    def _tell(self, phase: str, share: float, preview: bytes | None) -> None:
        if self.on_progress is not None:
            step = int(share * (self.steps + 2))
            self.on_progress(Progress(phase, self._section, self.sections, step, self.steps, preview))


class _Picture:
    """A song's level picture and peaks of a fixed size, from its sound a piece at a time."""

    def __init__(self, samples: int) -> None:
        codec = SpectrogramCodec()
        self._samples, self._window = samples, codec.window.numpy()
        self._filters = codec.filters.T.numpy()
        frames = min(PICTURE_FRAMES, math.ceil(samples / len(self._window)))
        self._power, self._count = np.zeros((frames, codec.bands)), np.zeros(frames)
        self._peaks = np.zeros(PEAKS)
        self._at, self._rest = 0, np.zeros((0, 2), np.float32)

    def add(self, audio: Audio) -> None:
        """Look at the next piece, (n, 2)."""
        first = self._at + len(self._rest)
        places = (np.arange(first, first + len(audio)) * PEAKS) // self._samples
        np.maximum.at(self._peaks, places, np.abs(audio).max(1))
        sound = np.concatenate([self._rest, audio])
        window = len(self._window)
        count = len(sound) // window
        frames = sound[: count * window].reshape(count, window, 2) * self._window[:, None]
        power = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(2) @ self._filters
        centres = self._at + np.arange(count) * window + window // 2
        columns = centres * len(self._power) // self._samples
        np.add.at(self._power, columns, power)
        np.add.at(self._count, columns, 1)
        self._at += count * window
        self._rest = sound[count * window :]

    def level(self) -> NDArray[np.uint8]:
        """(frames, bands) uint8 over 80 dB."""
        power = self._power / np.maximum(self._count, 1)[:, None]
        decibels = 10 * np.log10(power + 1e-20)
        level = (decibels - decibels.max()) / DYNAMIC_RANGE_DB + 1
        return np.asarray(np.round(level.clip(0, 1) * 255), np.uint8)

    def peaks(self) -> list[float]:
        return [round(float(peak), 4) for peak in self._peaks]


def _gain(decibels: NDArray[Any] | np.float32) -> Any:
    return np.asarray(10 ** (decibels / 20), np.float32)
