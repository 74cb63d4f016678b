"""More bars before or after those of a loop, painted into the longer circle; the source's own samples stay."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from generation.arrange.repaint import require_length, spliced, within
from generation.arrangement import Extend
from generation.engine import Progress, Renderer, engine_that_paints
from generation.models.pipeline import Canvas
from generation.request import Riff, RiffRequest
from generation.spectrogram import Spectrogram


def perform(
    engine: Renderer,
    request: RiffRequest,
    source: NDArray[np.float32],
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """Extend `source` to the request's bars; raises InvalidRequest where it has not the other bars' length."""
    asked = request.arrangement
    assert isinstance(asked, Extend)
    kept = request.bars - asked.bars
    require_length(source, request, kept)
    ours = engine_that_paints(engine, "extend a loop")
    # Rounded once for each length, the parts may differ from the whole by a sample: the new bars take it.
    start, stop = (
        (len(source), request.samples) if asked.side == "after" else (0, request.samples - len(source))
    )

    # Left to play on, the source leads into the gap and out of it.
    shift = 0 if asked.side == "after" else stop
    around = np.take(source, np.arange(request.samples) - shift, axis=0, mode="wrap")
    picture = ours.codec.encode(around, request.sixteenths)
    first = kept if asked.side == "after" else 0
    free = np.zeros(picture.level.shape, np.bool_)
    frames = len(free) // request.bars
    free[first * frames : (first + asked.bars) * frames] = True

    def sound(_: RiffRequest, painted: Spectrogram) -> NDArray[np.float32]:
        new = ours.codec.decode_within(painted, around, within(around, start, stop))
        return spliced(around, new, start, stop)

    canvas = Canvas(picture, free)
    return ours.make(request, ours.painting(canvas), sound, on_progress, cancelled, source)
