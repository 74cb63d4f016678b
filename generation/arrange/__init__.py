"""Everything that is made out of riffs: morphs, variations, remixes, repaints, extensions, layers and songs.

`perform` is the one call that doors make for all of them but songs, which are streamed (`generation.arrange.song`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generation.arrangement import Extend, Layers, Morph, Repaint, Song
from generation.audio.pcm import sha256
from generation.errors import InvalidRequest, SourceMissing
from generation.request import Riff, RiffRequest

if TYPE_CHECKING:
    from generation.engine import Progress, Renderer


def perform(
    engine: "Renderer",
    request: RiffRequest,
    source: NDArray[np.float32] | None = None,
    on_progress: Callable[["Progress"], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """Make what a request asks for.

    `source` is the sound whose digest the request names, (n, 2) at 44.1 kHz. Raises SourceMissing when it is not that
    sound, NotPossible when the model cannot do what is asked, and Cancelled once `cancelled()` is true.
    """
    # Here, because the web process finds the tempo of what people bring (`generation.arrange.grid`) without the engine.
    from generation.arrange import extend, layers, morph, remix, repaint, vary

    if request.source and (source is None or sha256(source) != request.source):
        raise SourceMissing(request.source)
    match request.arrangement:
        case Morph():
            return morph.perform(engine, request, on_progress, cancelled)
        case Layers():
            return layers.perform(engine, request, on_progress, cancelled)
        case Song():
            raise InvalidRequest("arrangement", "A song is made in parts: riff song makes one.")
    if source is None:
        return engine.render(request, on_progress, cancelled)
    match request.arrangement:
        case Repaint():
            return repaint.perform(engine, request, source, on_progress, cancelled)
        case Extend():
            return extend.perform(engine, request, source, on_progress, cancelled)
    if request.keep:
        return vary.perform(engine, request, source, on_progress, cancelled)
    return remix.perform(engine, request, source, on_progress, cancelled)
