"""One run: from a topology to a plan, to events and commands."""
