"""Servers: what holds on each of them, and which riffs hang in their galleries."""
