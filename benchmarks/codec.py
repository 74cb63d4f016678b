"""How much of a loop survives the codec: picture to audio, on composed loops and on recordings of real music.

python -m benchmarks.codec [--recordings FOLDER] [--loops N] [--each]

Composed loops come from composer seeds that no training uses, played with the corpus's soundfonts.
The recordings are read from FOLDER, into which these Debian packages have been unpacked (they are measured on, never
trained on):

    apt-get download sonic-pi-samples fretsonfire-songs-muldjord fretsonfire-songs-sectoid
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done

sonic-pi-samples: CC0 recordings of drums, tabla, guitars, piano, choir, noises. fretsonfire-songs-muldjord (CC BY-SA
3.0, El Senator) and -sectoid (MIT, Carlos Viola Iborra): songs of metal bands and their guitar tracks.

A clip is made into a loop by cross-fading its end into what comes before its start. It goes through the codec as it
is and as the mean of its channels ("mono"). Measures, averaged over channels:

- LSD: mean absolute difference in dB of circular STFTs (2048/512), after the best scalar gain, floor -80 dB below
  the original's loudest bin; over the full band and up to 10 kHz.
- SC: spectral convergence, the norm of the magnitudes' difference over the norm of the original's.
- semitone error: mean absolute difference in dB of the power in 72 semitones from 55 Hz (16384/4096, floor -50 dB).
- onsets: correlation of the onset envelopes (rise of the log spectrum, 1024/256).
- CPU-s: process time of one decode on one thread, scaled to 8 s of audio.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.corpus.composer import compose
from generation.corpus.renderer import Renderer
from generation.judge.measures import log_spectral_distance
from generation.models.shipped import SHIPPED
from generation.request import SAMPLE_RATE
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.inverse import load_inverse

FIRST_SEED = 5_000_000
SAMPLES = "usr/share/sonic-pi/samples"
SONGS = "usr/share/games/fretsonfire/data/songs"
# File, start in seconds, sixteenth notes, bpm: tempos from 64 to 178, as the clips' lengths or their music ask.
RECORDINGS = (
    (f"{SAMPLES}/loop_amen_full.flac", 0.0, 64, 140.0),
    (f"{SAMPLES}/loop_breakbeat.flac", 0.0, 16, 126.0),
    (f"{SAMPLES}/loop_tabla.flac", 0.5, 64, 100.0),
    (f"{SAMPLES}/loop_compus.flac", 0.0, 64, 150.0),
    (f"{SAMPLES}/loop_safari.flac", 0.0, 64, 120.0),
    (f"{SAMPLES}/guit_em9.flac", 0.5, 32, 64.0),
    (f"{SAMPLES}/guit_e_fifths.flac", 0.3, 32, 90.0),
    (f"{SAMPLES}/ambi_piano.flac", 0.1, 16, 96.0),
    (f"{SAMPLES}/ambi_sauna.flac", 0.5, 48, 90.0),
    (f"{SAMPLES}/perc_bell2.flac", 0.3, 32, 100.0),
    (f"{SONGS}/muldjord/armygeddon/guitar.ogg", 60.0, 64, 120.0),
    (f"{SONGS}/muldjord/internal_degeneration/song.ogg", 80.0, 64, 178.0),
    (f"{SONGS}/muldjord/mutilated_mime/song.ogg", 30.0, 32, 110.0),
    (f"{SONGS}/sectoid/Feelings/song.ogg", 20.0, 32, 72.0),
    (f"{SONGS}/sectoid/Feelings/guitar.ogg", 100.0, 64, 130.0),
    (f"{SONGS}/sectoid/War of freedom/song.ogg", 90.0, 64, 160.0),
    (f"{SONGS}/muldjord/chaos_god/song.ogg", 50.0, 48, 125.0),
    (f"{SONGS}/muldjord/armygeddon/song.ogg", 70.0, 32, 85.0),
    (f"{SONGS}/sectoid/Escape from chaosland/song.ogg", 60.0, 64, 150.0),
    (f"{SONGS}/sectoid/Metal madness/song.ogg", 40.0, 48, 140.0),
)
FADE = 0.15
LOW_HZ = 10_000
NAMES = ("LSD", "LSD <= 10k", "SC", "semitone", "onsets", "CPU-s")

Audio = NDArray[np.float32]
Decode = Callable[[Spectrogram, int], Audio]


@dataclass(frozen=True)
class Clip:
    """A loop to measure on: `audio` is (samples, 2)."""

    name: str
    audio: Audio
    sixteenths: int

    def mono(self) -> "Clip":
        """The same with the mean of its channels on both sides."""
        return replace(self, audio=np.repeat(self.audio.mean(1, keepdims=True), 2, 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--loops", type=int, default=12)
    parser.add_argument("--inverse", type=Path, default=SHIPPED / "inverse" / "inverse.safetensors")
    parser.add_argument("--each", action="store_true", help="one line per clip")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)

    kinds = {"composed loops": composed(given.loops)}
    if given.recordings:
        kinds["recordings"] = recorded(given.recordings)
    plain = SpectrogramCodec()
    learnt = SpectrogramCodec(inverse=load_inverse(given.inverse, plain.name))
    print(f"| clips | n | chain | {' | '.join(NAMES)} |\n|{'---|' * (len(NAMES) + 3)}")
    for kind, clips in kinds.items():
        for channels, heard in (("stereo", clips), ("mono", [clip.mono() for clip in clips])):
            for chain, codec in (("without the net", plain), ("with the net", learnt)):
                rows = np.array([measure(clip, codec, codec.decode) for clip in heard])
                for clip, row in zip(heard, rows, strict=True) if given.each else ():
                    print(line(f"{clip.name}, {channels}", 1, chain, row))
                print(line(f"{kind}, {channels}", len(clips), chain, rows.mean(0)))


def line(kind: str, count: int, chain: str, row: NDArray[np.float64]) -> str:
    """A row of a Markdown table."""
    return f"| {kind} | {count} | {chain} | " + " | ".join(f"{value:.2f}" for value in row) + " |"


def composed(count: int) -> list[Clip]:
    """Loops of seeds that no training uses."""
    renderer, clips = Renderer(), []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        score = compose(seed)
        audio = np.stack(list(renderer.render(score).values())).sum(0)
        clips.append(Clip(f"seed {seed}", audio, score.steps))
    return clips


def recorded(folder: Path) -> list[Clip]:
    """The recordings of RECORDINGS as loops; raises FileNotFoundError where one is missing."""
    import soundfile

    clips = []
    for name, start, sixteenths, bpm in RECORDINGS:
        samples = round(sixteenths * 15 * SAMPLE_RATE / bpm)
        fade = round(FADE * SAMPLE_RATE)
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing: unpack the packages named in this file.")
        audio, rate = soundfile.read(
            folder / name,
            start=max(0, round(start * SAMPLE_RATE) - fade),
            frames=samples + fade,
            dtype="float32",
            always_2d=True,
        )
        assert rate == SAMPLE_RATE
        audio = audio[:, [0, -1]]
        short = samples + fade - len(audio)
        if short > 0:
            audio = np.concatenate([np.zeros((short, 2), np.float32), audio])
        before, loop = audio[:fade], audio[fade:].copy()
        rise = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
        loop[-fade:] = loop[-fade:] * np.cos(rise * np.pi / 2) + before * np.sin(rise * np.pi / 2)
        clips.append(Clip(Path(name).parent.name + "/" + Path(name).stem, loop, sixteenths))
    return clips


def measure(clip: Clip, codec: SpectrogramCodec, decode: Decode) -> NDArray[np.float64]:
    """The six measures of NAMES for one clip through one decoder."""
    picture = codec.encode(clip.audio, clip.sixteenths)
    decode(picture, len(clip.audio))
    started = time.process_time()
    audio = decode(picture, len(clip.audio))
    seconds = (time.process_time() - started) * 8 * SAMPLE_RATE / len(clip.audio)
    sides = [compare(*map(torch.from_numpy, pair)) for pair in zip(clip.audio.T, audio.T, strict=True)]
    return np.append(np.mean(sides, 0), seconds)


def compare(original: Tensor, copy: Tensor) -> tuple[float, float, float, float, float]:
    """LSD, LSD up to 10 kHz, spectral convergence, semitone error and onset correlation of two (samples,) loops."""
    loops = original.numpy()[:, None], copy.numpy()[:, None]
    wanted, found = _magnitudes(original, 2048, 512), _magnitudes(copy, 2048, 512)
    found = found * ((wanted * found).sum() / found.square().sum().clamp_min(1e-20))
    convergence = (wanted - found).norm() / wanted.norm()
    notes = [_magnitudes(side, 16384, 4096).square() @ _semitones() for side in (original, copy)]
    notes[1] = notes[1] * (notes[0].sum() / notes[1].sum().clamp_min(1e-20))
    faint = 1e-5 * notes[0].max()
    semitones = 10 * ((notes[0] + faint) / (notes[1] + faint)).log10().abs().mean()
    onsets = np.corrcoef(_onsets(original).numpy(), _onsets(copy).numpy())[0, 1]
    return (
        log_spectral_distance(*loops),
        log_spectral_distance(*loops, LOW_HZ),
        float(convergence),
        float(semitones),
        float(onsets),
    )


def _magnitudes(loop: Tensor, window: int, hop: int) -> Tensor:
    """(frames, bins) of a loop's circular STFT."""
    turns = -(-window // len(loop))
    frames = torch.cat([loop, loop.repeat(turns)[:window]]).unfold(0, window, hop)
    magnitudes: Tensor = torch.fft.rfft(frames * torch.hann_window(window)).abs()
    return magnitudes


def _semitones() -> Tensor:
    edges = 55 * 2 ** (np.arange(73) / 12 - 1 / 24)
    frequency = np.arange(8193) * SAMPLE_RATE / 16384
    inside = (frequency >= edges[:-1, None]) & (frequency < edges[1:, None])
    return torch.from_numpy(inside.T.astype(np.float32))


def _onsets(loop: Tensor) -> Tensor:
    spectrum = _magnitudes(loop, 1024, 256)
    level = (spectrum + 1e-3 * spectrum.max()).log10()
    return (level - level.roll(1, 0)).clamp_min(0).mean(1)


if __name__ == "__main__":
    main()
