"""Other people's models behind the same RiffRequest: Riffusion, Stable Audio, ACE-Step, MusicGen and more.

`load_foreign` reads a folder as the hub keeps it and gives a `ForeignEngine`, which is asked like our own engine. Each
family's own ways stand in a file of its own; all that they share, above all how what they play becomes a loop of
exactly so many bars, stands in `engine` and `closing`.
"""

from transformers.utils import logging

logging.set_verbosity_error()  # importing diffusers' pipelines says on stderr that torchvision is not there

from generation.models.foreign.engine import ForeignEngine  # noqa: E402
from generation.models.foreign.folder import load_foreign  # noqa: E402

__all__ = ["ForeignEngine", "load_foreign"]
