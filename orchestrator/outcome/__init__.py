"""Events -> summary -> verdict -> reports: pure."""
