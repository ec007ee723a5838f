"""What the figures were taken on: a figure without its machine says little."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import zmq

from benchmarks.peers import venv

_PEERS = ("honcho", "circus", "supervisor", "dora-rs", "ray", "distributed")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and load."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load_1m": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """Of Python, of libzmq, and of each package that takes part."""
    found = {"python": platform.python_version(), "libzmq": zmq.zmq_version()}
    for package in ("zmq-topology", "pyzmq", "msgspec"):
        found[package] = importlib.metadata.version(package)
    for package in _PEERS:
        version = venv.version(package)
        if version is not None:
            found[package] = version
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else f"{platform.machine()} ({sys.platform})"
