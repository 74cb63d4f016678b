"""Riffusion's server, spoken by ours: its web app and its users' scripts go on working."""
