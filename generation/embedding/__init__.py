"""The market's ear: sounds and sentences in one space, names for what is heard, nearness to what was learnt from.

NumPy only: a web process may call it. `generation.embedding.originality` has the last of the three.
"""

from generation.embedding.hearing import CONFIDENT, Heard, embed_audio, embed_text, heard

__all__ = ["CONFIDENT", "Heard", "embed_audio", "embed_text", "heard"]
