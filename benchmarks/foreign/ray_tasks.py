"""Tiny Ray tasks on two processors: COUNT; it tells how many there were a second."""

import sys
import time

import ray


@ray.remote
def same(task: bytes) -> bytes:
    """The task itself."""
    return task


count = int(sys.argv[1])
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
ray.get([same.remote(b"12345678") for _ in range(20)])  # the workers are up
began_s = time.monotonic()
ray.get([same.remote(b"12345678") for _ in range(count)])
print(count / (time.monotonic() - began_s))
ray.shutdown()
