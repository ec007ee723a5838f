"""A node of a dora dataflow: sends so many small messages, and notes when it began: COUNT and FOLDER."""

import os
import time
from pathlib import Path

from dora import Node

node = Node()
count = int(os.environ["COUNT"])
began_s = time.monotonic()
for _ in range(count):
    node.send_output("task", b"12345678")
Path(os.environ["FOLDER"], "source").write_text(f"{began_s} {count}")
