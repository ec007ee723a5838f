"""Consumers of the event stream: each is called with every event, and never answers."""
