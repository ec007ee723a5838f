"""Tiny Dask tasks on two workers: COUNT; it tells how many there were a second."""

import sys
import time

from distributed import Client, LocalCluster


def same(task: tuple[int, bytes]) -> bytes:
    """The payload of a task; its number keeps one task from being taken for another."""
    return task[1]


def main() -> None:
    """Start, warm up, measure."""
    count = int(sys.argv[1])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(same, [(-number, b"12345678") for number in range(1, 21)]))
        began_s = time.monotonic()
        client.gather(client.map(same, [(number, b"12345678") for number in range(count)]))
        print(count / (time.monotonic() - began_s))


if __name__ == "__main__":
    main()
