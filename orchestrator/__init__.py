"""The orchestrator: turns a topology into running processes, and their reports into a verdict."""
