"""Its folder is on the path of every test, and with it what tests share."""

import signal

import pytest
from hypothesis import settings

# How long an example takes on a busy machine says nothing of it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell that starts the tests in the background has SIGINT ignored, which the programs under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_job(monkeypatch):
    """A test run by a GitHub Actions job is none itself, and leaves the job's summary alone."""
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
