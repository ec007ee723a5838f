"""A node of a dora dataflow: passes on what it gets."""

from dora import Node

node = Node()
for event in node:
    if event["type"] == "INPUT":
        node.send_output("result", event["value"])
