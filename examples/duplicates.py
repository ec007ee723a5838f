"""Finds files of the same content: plain functions, named by `duplicates.yaml`.

`candidates` lists the files whose size is not theirs alone, `fingerprint` reads one of them, `group` puts those of the
same content together, and `report` tells what the copies waste.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOWN_GROUPS = 5
SHOWN_FILES = 3


def candidates(folder: str) -> Iterator[bytes]:
    """Files below the folder that share their size with another: only they can have the same content.

    Links are not followed, further names of one file (hard links) and empty files waste nothing, and a file that
    goes away meanwhile is no candidate.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise NotADirectoryError(f"cannot look through '{root}': it is no folder")
    by_size: dict[int, list[bytes]] = {}
    seen: set[tuple[int, int]] = set()
    for path, status in _files(root):
        if status.st_size and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            by_size.setdefault(status.st_size, []).append(path)
    for size in sorted(by_size, reverse=True):
        if len(by_size[size]) > 1:
            yield from by_size[size]


def fingerprint(path: bytes) -> dict[str, Any]:
    """The size of one file and a digest of its content, or why it cannot be read."""
    name = os.fsdecode(path).encode(errors="backslashreplace").decode()
    try:
        with Path(os.fsdecode(path)).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return {"file": name, "digest": digest, "bytes": file.tell()}
    except OSError as error:
        return {"file": name, "error": error.strerror or str(error)}


def group(total: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """Fold one file into the groups of the same content."""
    if total is None:
        total = {"files": 0, "bytes": 0, "unreadable": {}, "groups": {}}
    total["files"] += 1
    if "error" in found:
        total["unreadable"][found["file"]] = found["error"]
        return total
    total["bytes"] += found["bytes"]
    same = total["groups"].setdefault(found["digest"], {"bytes": found["bytes"], "files": []})
    same["files"].append(found["file"])
    return total


def report(total: dict[str, Any] | None) -> dict[str, int]:
    """Print the groups that waste most; the sums go into the summary."""
    total = total or {"files": 0, "bytes": 0, "unreadable": {}, "groups": {}}
    groups = [same for same in total["groups"].values() if len(same["files"]) > 1]
    groups.sort(key=lambda same: (-_wasted(same), min(same["files"])))
    for same in groups[:SHOWN_GROUPS]:
        files = sorted(same["files"])
        print(f"{_size(_wasted(same))} wasted: {len(files)} files of {_size(same['bytes'])}")
        for name in files[:SHOWN_FILES]:
            print(f"  {name}")
        if len(files) > SHOWN_FILES:
            print(f"  and {len(files) - SHOWN_FILES:,} more")
    for name, why in sorted(total["unreadable"].items())[:SHOWN_FILES]:
        print(f"not read: {name} ({why})")
    wasted = sum(map(_wasted, groups))
    print(
        f"{total['files']:,} files compared, {len(groups):,} groups of the same content, {_size(wasted)} wasted"
    )
    return {
        "files": total["files"],
        "groups": len(groups),
        "wasted_bytes": wasted,
        "unreadable": len(total["unreadable"]),
    }


def _files(folder: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    """Every plain file below the folder in the order of names; folders that may not be read are named."""
    for place, folders, names in os.walk(os.fsencode(folder), onerror=_tell):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)  # noqa: PTH118 - pathlib takes no bytes
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status


def _tell(error: OSError) -> None:
    print(f"not read: {os.fsdecode(error.filename)} ({error.strerror})")


def _wasted(same: dict[str, Any]) -> int:
    wasted: int = same["bytes"] * (len(same["files"]) - 1)
    return wasted


def _size(number: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
