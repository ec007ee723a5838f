"""Engines: what starts, signals and reaps processes."""
