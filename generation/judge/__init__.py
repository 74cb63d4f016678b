"""The judge: what `riff evaluate` measures on riffs and, with the same rulers, on real loops that no model has seen.

Nothing here is used to make a riff, and nothing that makes a riff is told the right answer here: tempo and key are
detected from sound alone, and instruments and genres are recognised by a classifier of its own.
"""
