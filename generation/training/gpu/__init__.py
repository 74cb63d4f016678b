"""The half hour on a borrowed GPU: what travels there, what runs there and what comes home; docs/gpu-training.md.

Nothing but Python, torch, NumPy and SciPy is needed on the other side.
"""
