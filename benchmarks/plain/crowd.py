"""Starts a server and so many clients, an interpreter each, and reaps them when each has its answer: ADDRESS COUNT.

All are alive before the first may ask. It tells how long that took in seconds, without its own start.
"""

import subprocess
import sys
import time
from pathlib import Path

PIPE = subprocess.PIPE


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """One interpreter of its own."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True)


def main() -> None:
    """Start, ask, reap."""
    address, count = sys.argv[1], int(sys.argv[2])
    began_s = time.monotonic()
    server = start(
        "counting_server.py", address, str(count), str(Path(address.removeprefix("ipc://") + ".stamp"))
    )
    members = [start("member.py", address) for _ in range(count)]
    try:
        for member in members:
            assert member.stdout is not None
            if member.stdout.readline() != "ready\n":
                sys.exit("a client did not come up")
        for member in members:
            assert member.stdin is not None
            member.stdin.write("go\n")
            member.stdin.flush()
        for member in members:
            if member.wait():
                sys.exit("a client failed")
    finally:
        for process in (*members, server):
            process.kill()
            process.wait()
    print(time.monotonic() - began_s)


if __name__ == "__main__":
    main()
