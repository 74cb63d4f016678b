"""Playing loops in voice channels."""
