"""A node of a dora dataflow: counts what it gets, and notes when the last one came: FOLDER."""

import os
import time
from pathlib import Path

from dora import Node

received, ended_s = 0, 0.0
for event in Node():
    if event["type"] == "INPUT":
        received += 1
        ended_s = time.monotonic()
Path(os.environ["FOLDER"], "sink").write_text(f"{ended_s} {received}")
