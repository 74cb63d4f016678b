"""Beds of noise and effects: when they are heard."""

from random import Random

from generation.corpus.score import Note

_EVENTS = ("thunder", "birdsong", "typing")


def play_texture(random: Random, texture: str, bars: int, bar_length: int) -> tuple[str, list[Note]]:
    """Its figure, "bed", "bursts" or "rise", and notes whose velocity is its strength."""
    end = bars * bar_length
    strength = random.randint(70, 112)
    if texture == "riser":
        rise = random.choice([bar_length * count for count in (1, 2, 4, 8) if count <= bars])
        return "rise", [Note(end - rise, rise, 60, strength)]
    if texture not in _EVENTS or random.random() < 0.35:
        return "bed", [Note(0.0, float(end), 60, strength)]
    notes = []
    step = 0.0
    while step < end:
        length = min(end - step, bar_length * random.choice((0.25, 0.5, 0.5, 0.75, 1.0)))
        notes.append(Note(step, length, 60, strength + random.randint(-12, 12)))
        step += length + bar_length * random.choice((0.125, 0.25, 0.5))
    return "bursts", notes
