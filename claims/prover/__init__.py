"""Proves the claims: runs each topology, judges what came of it, and tells it in one table."""
