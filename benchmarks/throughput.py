"""Messages a second through our roles against plain pyzmq loops on the same sockets, side by side.

Run it with `make bench`, or `python benchmarks/throughput.py [PAIRS]`. Each line is the median of paired ratios,
ours over plain, with the smallest and the largest; machines are noisy, so only the ratios count.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import zmq

TASKS = 200_000
REQUESTS = 20_000
PAYLOAD = b"12345678"
PIPELINE = """
version: 1
patterns:
  p:
    codec: bytes
    endpoints: {{tasks: ipc, results: ipc}}
    nodes:
      ventilator: {{role: ventilator, bind: tasks, params: {{call: {{function: "load:tasks", with: {{n: {tasks}}}}}}}}}
      worker: {{role: worker, connect: [tasks, results], replicas: {workers}, params: {{call: "load:same"}}}}
      sink: {{role: sink, bind: results}}
"""
LOCKSTEP = """
version: 1
patterns:
  p:
    codec: bytes
    endpoints: {{hello: ipc}}
    nodes:
      server: {{role: server, bind: hello, params: {{call: "load:same"}}}}
      client: {{role: client, connect: hello, replicas: {clients}, params: {{requests: {requests}}}}}
"""
LOAD = """
def tasks(n):
    for _ in range(n):
        yield b"12345678"

def same(task):
    return task
"""


def ours(topology: str, count: int) -> float:
    """Messages a second of a topology, from Go to the last book closed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "topology.yaml"
        path.write_text(topology)
        (Path(folder) / "load.py").write_text(LOAD)
        command = [sys.executable, "-m", "orchestrator", "run", str(path), "--quiet", "--json", "-"]
        command += ["--run-dir", str(Path(folder) / "run")]
        told = subprocess.run(command, capture_output=True, check=True).stdout
        work_s: float = json.loads(told)["runs"][0]["work_s"]
        return count / work_s


def plain(jobs: list[Callable[[str, Barrier], None]], count: int) -> float:
    """Messages a second of plain loops: from the moment when all are connected to the last one's end."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        barrier = context.Barrier(len(jobs) + 1)
        processes = [context.Process(target=job, args=(folder, barrier), daemon=True) for job in jobs]
        for process in processes:
            process.start()
        barrier.wait()
        started_s = time.perf_counter()
        processes[0].join()
        took_s = time.perf_counter() - started_s
        for process in processes[1:]:
            process.terminate()
            process.join()
        return count / took_s


def sink(folder: str, barrier: Barrier) -> None:
    """Takes every result."""
    socket = zmq.Context().socket(zmq.PULL)
    socket.bind(f"ipc://{folder}/results")
    barrier.wait()
    for _ in range(TASKS):
        socket.recv()


def worker(folder: str, barrier: Barrier) -> None:
    """Passes tasks on."""
    context = zmq.Context()
    tasks, results = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    tasks.connect(f"ipc://{folder}/tasks")
    results.connect(f"ipc://{folder}/results")
    barrier.wait()
    while True:
        results.send(tasks.recv())


def ventilator(folder: str, barrier: Barrier) -> None:
    """Sends the tasks, and holds its socket."""
    socket = zmq.Context().socket(zmq.PUSH)
    socket.bind(f"ipc://{folder}/tasks")
    barrier.wait()
    for _ in range(TASKS):
        socket.send(PAYLOAD)
    time.sleep(60)


def server(folder: str, barrier: Barrier) -> None:
    """Answers with what it was asked."""
    socket = zmq.Context().socket(zmq.REP)
    socket.bind(f"ipc://{folder}/hello")
    barrier.wait()
    while True:
        socket.send(socket.recv())


def client(folder: str, barrier: Barrier) -> None:
    """Asks in lockstep."""
    socket = zmq.Context().socket(zmq.REQ)
    socket.connect(f"ipc://{folder}/hello")
    barrier.wait()
    for _ in range(REQUESTS):
        socket.send(PAYLOAD)
        socket.recv()


def compare(name: str, mine: Callable[[], float], theirs: Callable[[], float], pairs: int) -> None:
    """Run the two in turn and print their ratio."""
    figures = [(mine(), theirs()) for _ in range(pairs)]
    ratios = sorted(a / b for a, b in figures)
    rate = statistics.median(a for a, _ in figures)
    print(
        f"{name:<28} {statistics.median(ratios):5.2f} x plain pyzmq "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}), {rate:,.0f} a second"
    )


def main() -> None:
    """Compare all."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for workers in (1, 2, 4):
        topology = PIPELINE.format(tasks=TASKS, workers=workers)
        jobs = [sink, *[worker] * workers, ventilator]
        compare(
            f"pipeline, {workers} workers",
            lambda topology=topology: ours(topology, TASKS),  # type: ignore[misc]
            lambda jobs=jobs: plain(jobs, TASKS),  # type: ignore[misc]
            pairs,
        )
    compare(
        "request-reply, 1 client",
        lambda: ours(LOCKSTEP.format(requests=REQUESTS, clients=1), REQUESTS),
        lambda: plain([client, server], REQUESTS),
        pairs,
    )


if __name__ == "__main__":
    main()
