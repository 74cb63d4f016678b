"""A riff as an order: its place in the queue, its progress, and the worker that makes it."""
