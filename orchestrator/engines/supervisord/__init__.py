"""supervisord: its configuration, the daemon itself, and what passes between it and the engine."""
