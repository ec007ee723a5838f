"""The order in which things must come: strongly connected groups of a directed graph, and their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def components(edges: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The strongly connected groups, each after all groups that it points to (Tarjan, SIAM J. Comput. 1972).

    `edges` maps every name to the names that it points to. Within a group names keep the order of `edges`; so
    do groups that nothing orders.
    """
    rank = {name: number for number, name in enumerate(edges)}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(start: str) -> None:
        work = [(start, iter(edges[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while work:
            name, rest = work[-1]
            for target in rest:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in stack:
                    low[name] = min(low[name], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    at = stack.index(name)
                    found.append(tuple(sorted(stack[at:], key=rank.__getitem__)))
                    del stack[at:]

    for name in edges:
        if name not in index:
            visit(name)
    return found


def layers(edges: Mapping[str, Sequence[str]]) -> list[list[tuple[str, ...]]]:
    """The groups in layers: a group stands in the first layer after all groups that it points to."""
    depth: dict[str, int] = {}
    result: list[list[tuple[str, ...]]] = []
    for group in components(edges):
        below = [depth[target] for name in group for target in edges[name] if target not in group]
        level = max(below, default=-1) + 1
        depth |= dict.fromkeys(group, level)
        while len(result) <= level:
            result.append([])
        result[level].append(group)
    rank = {name: number for number, name in enumerate(edges)}
    return [sorted(layer, key=lambda group: rank[group[0]]) for layer in result]
