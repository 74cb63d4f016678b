"""The finished loops."""
