"""One role as a process of its own: `python -m chaos.actor FOLDER`, what it is to be lies in the folder as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from roles.kit import leash, runtime, spec, streams


def main() -> NoReturn:
    """Be the process that the folder describes."""
    leash.put_on()
    folder = Path(sys.argv[1])
    streams.write_to(str(folder / "log"))
    process = spec.decode_process((folder / "process.json").read_bytes())
    runtime.be(process, spec.decode_place((folder / "place.json").read_bytes()), 0)


if __name__ == "__main__":
    main()
