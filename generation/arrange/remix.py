"""Remix: a sound that somebody brings, laid onto the request's bars and imagined anew."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from generation.arrange.grid import find_grid, fit
from generation.audio.pcm import sha256
from generation.engine import Progress, Renderer
from generation.request import Riff, RiffRequest


def perform(
    engine: Renderer,
    request: RiffRequest,
    source: NDArray[np.float32],
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """The request's takes, each starting from a sound (n, 2) at 44.1 kHz behind as much noise as `strength` says.

    A sound of exactly the request's length is taken as a loop on its grid, another one is laid onto it. The recipes
    name the sound as it was brought. Raises Cancelled.
    """
    fitted = source if len(source) == request.samples else fit(source, find_grid(source), request)
    riff = engine.render(request, on_progress, cancelled, source=fitted)
    named = {"source": {"sha256": sha256(source)}}
    return replace(riff, takes=tuple(replace(take, recipe={**take.recipe, **named}) for take in riff.takes))
