"""Who holds a TCP port, where the system tells (Linux: proc(5), `/proc/net/tcp`)."""

from __future__ import annotations

from pathlib import Path

_LISTEN = "0A"


def owner(address: str) -> str | None:
    """The listener at `tcp://HOST:PORT` as `name (pid N)`; None where it cannot be known."""
    port = address.rpartition(":")[2]
    if not address.startswith("tcp://") or not port.isdecimal():
        return None
    inodes = _listening_inodes(int(port))
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and _holds(process, wanted):
            return f"{_name(process)} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(fd.readlink()) in wanted for fd in (process / "fd").iterdir())
    except OSError:
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
