"""Loops in voice channels: the deck that mixes them, the rooms that they play in, the jam, and the soundboard."""
