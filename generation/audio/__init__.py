"""Finished loops as people use them: loudness, files, pictures."""
