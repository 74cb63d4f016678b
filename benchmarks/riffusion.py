"""Riffusion's own images back to sound: our decoder against Riffusion's, how near to the original and how fast.

python -m benchmarks.riffusion FOLDER

FOLDER is test/test_data/tired_traveler of a checkout of github.com/riffusion/riffusion-hobby: clips of a song, and the
images that Riffusion drew of one of them. Its image without "_stereo" shows the left channel alone.

Riffusion's decoder is rebuilt here as it ran in 2022, from torchaudio 0.13's InverseMelScale (200 steps of gradient
descent) and GriffinLim (32 iterations, momentum 0.99, random phases): today's torchaudio refuses Riffusion's call of
the first. "least squares" is the same with what today's torchaudio has in its place. Measures:

- SC: spectral convergence in dB: the norm of the difference of STFT magnitudes (2048/512, up to 10 kHz, best scalar
  gain) over the norm of the original's.
- LSD: mean absolute difference of the same in dB, floor -80 dB below the loudest bin.
- pixels: share of the image's pixels that our encoder draws as Riffusion did, and the largest difference of a pixel.
- CPU-s: process time of a decode on one thread.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from generation.judge.measures import log_spectral_distance
from generation.request import SAMPLE_RATE
from generation.riffusion import RiffusionCodec, RiffusionParams
from generation.riffusion.pictures import open_picture, params_of

LOW_HZ = 10_000
Audio = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    torch.set_num_threads(1)
    paths = sorted((folder / "images").glob("*.png"))
    if not paths:
        raise SystemExit(f"There are no images in {folder / 'images'}.")

    print("| image | decoder | SC dB | LSD dB | CPU-s | faster |\n|---|---|---|---|---|---|")
    for path in paths:
        picture = open_picture(path)
        params = params_of(picture)
        clip, _ = soundfile.read(
            folder / "clips" / f"{path.stem.removesuffix('_stereo')}.wav", dtype="float32", always_2d=True
        )
        clip = clip if params.stereo else clip[:, :1]
        codec = RiffusionCodec(params)
        codec.to_audio(picture)
        decoders: dict[str, Callable[[], Audio]] = {"ours": partial(codec.to_audio, picture)}
        if not params.stereo:
            decoders["least squares, 2024"] = partial(riffusions, picture, params, least_squares)
            decoders["Riffusion, 2022"] = partial(riffusions, picture, params, gradient_descent)
        rows = {name: measure(clip, decode) for name, decode in decoders.items()}
        for name, (convergence, distance, seconds) in rows.items():
            faster = f"{seconds / rows['ours'][2]:.1f} x"
            print(f"| {path.stem} | {name} | {convergence:.2f} | {distance:.2f} | {seconds:.2f} | {faster} |")
        drawn, shown = (np.asarray(image, int) for image in (codec.to_image(clip), picture))
        apart = np.abs(drawn - shown)
        print(
            f"| {path.stem} | pixels: {np.mean(apart == 0):.2%} the same, {apart.max()} apart at most | | | | |"
        )


def measure(clip: Audio, decode: Callable[[], Audio]) -> tuple[float, float, float]:
    """Spectral convergence and log-spectral distance in dB, and the processor seconds of a decode."""
    started = time.process_time()
    decoded = decode()
    seconds = time.process_time() - started
    length = min(len(clip), len(decoded))
    clip, decoded = clip[:length], decoded[:length]
    return convergence(clip, decoded), log_spectral_distance(clip, decoded, LOW_HZ), seconds


def convergence(original: Audio, copy: Audio) -> float:
    """Spectral convergence in dB, averaged over channels; both are (samples, channels)."""
    bins, window = round(LOW_HZ / SAMPLE_RATE * 2048), torch.hann_window(2048)
    found = []
    for sides in zip(original.T, copy.T, strict=True):
        wanted, heard = (
            torch.stft(torch.from_numpy(side.copy()), 2048, 512, window=window, return_complex=True).abs()[
                :bins
            ]
            for side in sides
        )
        heard = heard * ((wanted * heard).sum() / heard.square().sum())
        found.append(20 * math.log10(float((wanted - heard).norm() / wanted.norm())))
    return float(np.mean(found))


def riffusions(
    picture: Image.Image, params: RiffusionParams, invert: Callable[[Tensor, Tensor], Tensor]
) -> Audio:
    """A mono image's sound by Riffusion's method; `invert` makes (bins, columns) of (bands, columns) and filters."""
    torch.manual_seed(0)
    levels = 255 - np.asarray(picture, np.float32)[::-1, :, 0]
    bands = torch.from_numpy((levels / 255) ** (1 / params.power) * 30e6)
    magnitude = invert(bands, filters(params))
    n_fft, hop, length = params.n_fft, params.hop_length, params.window_length
    window = torch.hann_window(length)
    momentum = 0.99 / 1.99
    angles, before = torch.rand(magnitude.shape, dtype=torch.complex64), torch.zeros(())
    for _ in range(32):
        signal = torch.istft(magnitude * angles, n_fft, hop, length, window)
        rebuilt = torch.stft(signal, n_fft, hop, length, window, return_complex=True)
        angles = rebuilt - before * momentum
        angles = angles / (angles.abs() + 1e-16)
        before = rebuilt
    return torch.istft(magnitude * angles, n_fft, hop, length, window).numpy()[:, None]


def gradient_descent(bands: Tensor, weights: Tensor) -> Tensor:
    """InverseMelScale of torchaudio 0.13 with Riffusion's 200 steps."""
    target = bands.T[None].contiguous()
    guess = torch.rand(1, bands.shape[1], weights.shape[0], requires_grad=True)
    descent = torch.optim.SGD([guess], lr=0.1, momentum=0.9)
    last = math.inf
    for _ in range(200):
        descent.zero_grad()
        loss = (target - guess @ weights).pow(2).sum(-1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
        guess.data = guess.data.clamp(min=0)
        if loss.item() < 1e-5 or abs(last - loss.item()) < 1e-8:
            break
        last = loss.item()
    return guess.detach()[0].T


def least_squares(bands: Tensor, weights: Tensor) -> Tensor:
    """InverseMelScale of torchaudio from 2.1 on."""
    solution: Tensor = torch.linalg.lstsq(weights.T[None], bands[None], driver="gels").solution[0]
    return solution.relu()


def filters(params: RiffusionParams) -> Tensor:
    """torchaudio's filter bank, HTK scale without norm: (bins, bands)."""
    frequency = torch.linspace(0, params.sample_rate // 2, params.n_fft // 2 + 1)
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (params.min_hz, params.max_hz))
    edges = 700 * (10 ** (torch.linspace(low, high, params.frequencies + 2) / 2595) - 1)
    width = edges.diff()
    slopes = edges[None] - frequency[:, None]
    return torch.minimum(-slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]).clamp(min=0)


if __name__ == "__main__":
    main()
