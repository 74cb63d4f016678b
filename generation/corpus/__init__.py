"""Tagged loops to train on: a composer of our own, played by FluidSynth and described in words.

`composer.compose` writes a score from a seed, `renderer.Renderer` plays its stems, `captions.caption` says
what is heard, and `build.build` keeps scores and stems in shards on disk.
"""
