"""Variations that keep something of a loop for certain: its groove or its harmony.

In the early and middle steps that part of each predicted picture is exchanged for the source's; everything else
follows the prompt and the seed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from generation.arrange.repaint import require_length
from generation.engine import Progress, Renderer, engine_that_paints
from generation.models.pipeline import Canvas
from generation.request import Riff, RiffRequest


def perform(
    engine: Renderer,
    request: RiffRequest,
    source: NDArray[np.float32],
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """Vary `source`, (request.samples, 2), keeping `request.keep`; raises InvalidRequest for another length."""
    require_length(source, request, request.bars)
    ours = engine_that_paints(engine, f"keep the {request.keep} of a loop")
    canvas = Canvas(ours.codec.encode(source, request.sixteenths), keep=request.keep)
    return ours.make(request, ours.painting(canvas), ours.sound, on_progress, cancelled, source)
