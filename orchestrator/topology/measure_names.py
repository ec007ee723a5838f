"""The names of all measures: what `expect` may speak of. Which topology has which, `measures` tells."""

from __future__ import annotations

RUN_MEASURES = ("elapsed_s", "ready_s", "work_s", "speedup")
"""Measures of the run as a whole, whose paths are single words."""

COUNTERS = ("received", "sent", "missed", "gaps", "duplicates", "retried", "late", "answered")
NUMBERS = ("rate", "restarts", "busy_s", "cpu_s", "elapsed_s", "ready_s", "max_rss_bytes")
QUANTILES = ("p50_ms", "p90_ms", "p99_ms", "max_ms")
NODE_MEASURES = (*COUNTERS, *NUMBERS, *QUANTILES, "exit_code")
"""Measures of nodes and of their processes, besides `result.<key>`."""

SPREADS = ("min", "max", "mean", "jain")
"""What may follow a counter or number of a node: how its processes compare."""

COMMAND_MEASURES = ("exit_code", "elapsed_s")
"""What is known of a program that is none of our roles."""

LINK_MEASURES = ("sent", "received", "lost", "unread", "duplicates", "redelivered", "foreign")
REPLY_MEASURES = ("replies.sent", "replies.received", "replies.lost")
ENDPOINT_MEASURES = (*LINK_MEASURES, *REPLY_MEASURES)
"""Measures of endpoints; those of the way back are the replies'."""
