"""The programme that tries to break it: what is tried, how often, and what was lost (docs/reliability.md)."""
