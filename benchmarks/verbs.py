"""`python -m benchmarks.verbs`: how well morphs close, repaints fit and variations keep, with the shipped model.

Seams are the spectral change where a loop starts again, over the median of its other bar starts; correlations are of
onset strength and of chroma with the source's. Every loop has 4 bars.
"""

import numpy as np
from numpy.typing import NDArray

from generation.arrange import perform
from generation.audio.pcm import pcm24, sha256
from generation.engine import Engine
from generation.judge import detectors, measures
from generation.request import RiffRequest, Take

PAIRS = (
    ("church bells", "electronic beats, techno"),
    ("lofi piano", "rock guitar and drums"),
    ("ambient pads", "funk bass and brass"),
    ("harp", "drum and bass"),
    ("celtic fiddle", "house"),
    ("music box", "trap drums and 808 bass"),
)


def main() -> None:
    """Print three Markdown tables."""
    engine = Engine.load()
    print("| morph, 5 loops | seam, plain ends | seam, loops between | largest between |\n|---|---|---|---|")
    everywhere: list[tuple[float, float]] = []
    for seed, (first, second) in enumerate(PAIRS):
        wish = {"kind": "morph", "prompts": [second], "loops": 5}
        seams = [_seam(take) for take in _made(engine, prompt=first, seed=seed, arrangement=wish)]
        ends, between = np.nanmean([seams[0], seams[-1]]), seams[1:-1]
        everywhere += [(float(ends), seam) for seam in between]
        print(
            f"| {first} → {second} | {ends:.2f} | {np.nanmedian(between):.2f} | {np.nanmax(between):.2f} |",
            flush=True,
        )
    ends_of, between_of = np.transpose(everywhere)
    print(
        f"| all, median | {np.nanmedian(ends_of):.2f} | {np.nanmedian(between_of):.2f} | {np.nanmax(between_of):.2f} |"
    )

    print(
        "\n| repaint of bars 2-3 | samples outside that differ | flux at both borders | the source's there |"
    )
    print("|---|---|---|---|")
    for seed, (prompt, _) in enumerate(PAIRS):
        source = _made(engine, prompt=prompt, seed=seed)[0].audio
        wish = {"kind": "repaint", "bars": "2-3"}
        painted = _made(engine, source, prompt=prompt, seed=seed + 50, arrangement=wish)[0].audio
        edges = [round(bar * len(source) / 4) for bar in (1, 3)]
        outside = np.r_[0 : edges[0], edges[1] : len(source)]
        differing = int((_integers(painted)[outside] != _integers(source)[outside]).any(1).sum())
        flux = [[measures.change_at(sound.mean(1), edge) for edge in edges] for sound in (painted, source)]
        new, old = (" and ".join(f"{value:.1f}" for value in pair) for pair in flux)
        print(f"| {prompt} | {differing} | {new} | {old} |", flush=True)

    print("\n| variation with the other prompt | onsets | chroma |\n|---|---|---|")
    for keep in ("", "groove", "harmony"):
        alike = []
        for seed, (first, second) in enumerate(PAIRS):
            source = _made(engine, prompt=first, seed=seed)[0].audio
            kept = {"keep": keep} if keep else {}
            made = _made(engine, source if keep else None, prompt=second, seed=seed + 50, **kept)[0].audio
            alike.append(_alike(source.mean(1), made.mean(1)))
        onsets, chroma = np.mean(alike, 0)
        print(f"| keeping {keep or 'nothing'} | {onsets:.2f} | {chroma:.2f} |", flush=True)
    print(f"\n{engine.model_id}")


def _made(engine: Engine, source: NDArray[np.float32] | None = None, **wish: object) -> tuple[Take, ...]:
    digest = None if source is None else sha256(source)
    request = RiffRequest.parse(**{"bars": 4, "bpm": 110, "source": digest, **wish})
    return perform(engine, request, source).takes


def _seam(take: Take) -> float:
    return measures.seam_flux(take.audio.mean(1), 4)


def _integers(audio: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.frombuffer(pcm24(audio), np.uint8).reshape(len(audio), -1)


def _alike(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float]:
    onsets = np.corrcoef(detectors.onset_strength(first), detectors.onset_strength(second))[0, 1]
    chroma = np.corrcoef(detectors.chroma(first), detectors.chroma(second))[0, 1]
    return float(onsets), float(chroma)


if __name__ == "__main__":
    main()
