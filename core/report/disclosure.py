"""Which groups of an audit must stay unpublished so that no count below a limit can be read or worked out.

Counts of groups add up: a total is the sum of its groups and of the rows in none of them. A hidden count is worked out
when these sums leave it a single value. So groups are hidden, smallest first, until the sums that are published leave
every small count open (primary and complementary cell suppression: L. Willenborg, T. de Waal, Elements of Statistical Disclosure
Control, 2001, chapter 2), over all attributes and intersections at once, for positives and negatives and, at
an operating point, for the cells of the 2 x 2 tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space

from core.audit.estimates.grouping import JOINT_GROUP
from core.errors import UserError

Node = tuple[tuple[str, ...], tuple[str, ...]]
"""Attributes and the group's value of each; two empty tuples are everybody."""
EVERYBODY: Node = ((), ())
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Counts:
    """One quantity (true positives, say) by group; `other` is what with it makes up a known total (false negatives).

    A group that is not in `value` has a count that the document does not hold.
    """

    value: Mapping[Node, int]
    other: Mapping[Node, int]

    def small(self, node: Node, limit: int) -> bool:
        """Whether the count must not be known. One that is not known here is not judged harmless."""
        return node not in self.value or 0 < self.value[node] < limit or 0 < self.other[node] < limit


@dataclass
class Hidden:
    """What must not be published.

    groups : groups without any number. rates : by model, groups without numbers at the operating point.
    """

    groups: set[Node] = field(default_factory=set)
    rates: dict[str, set[Node]] = field(default_factory=dict)


def hidden(document: Mapping[str, Any], limit: int) -> Hidden:
    """What an audit's document must not show for no count from 1 to `limit` - 1 to be known.

    Raises
    ------
    UserError
        When the audit as a whole has so few rows that nothing can be shown.
    """
    models = document["models"]
    groups = _groups(next(iter(models.values())))
    whole = groups[EVERYBODY]
    if min(whole["n_pos"], whole["n_neg"], whole["n_patients"]) < limit:
        raise UserError(
            f"the audit has {whole['n_pos']} positives and {whole['n_neg']} negatives: with --suppress {limit} nothing can be shown; "
            "--suppress 0 shows all counts, for readers who may see them"
        )
    found = Hidden()
    size = {node: group["n"] for node, group in groups.items()}
    counted = [{node: int(group[name]) for node, group in groups.items()} for name in ("n_pos", "n_neg", "n_patients")]
    _protect([Counts(value, value) for value in counted], size, found.groups, frozenset(), limit)
    for model, part in models.items():
        cells = _cells(_groups(part))
        # Everybody's own cells may be small too: a model with a handful of errors.
        found.rates[model] = {EVERYBODY} if any(cell.small(EVERYBODY, limit) for cell in cells) else set()
        if EVERYBODY in cells[0].value:
            _protect(list(cells), size, found.rates[model], frozenset(found.groups) | found.rates[model], limit)
    return found


def _groups(part: Mapping[str, Any]) -> dict[Node, Mapping[str, Any]]:
    found: dict[Node, Mapping[str, Any]] = {EVERYBODY: part["overall"]}
    for values in part["attributes"].values():
        names = tuple(values["attributes"])
        for group, numbers in values["groups"].items():
            found[names, group_values(group, len(names))] = numbers
    return found


def group_values(group: str, depth: int) -> tuple[str, ...]:
    """The single values of a group; a name that holds the joint itself stays in one piece and has no parents."""
    parts = tuple(group.split(JOINT_GROUP)) if depth > 1 else (group,)
    return parts if len(parts) == depth else (group,) * depth


def _cells(groups: Mapping[Node, Mapping[str, Any]]) -> tuple[Counts, Counts]:
    """True and false positives of every group that has rates, with false negatives and true negatives beside them."""
    tp: dict[Node, int] = {}
    fp: dict[Node, int] = {}
    for node, g in groups.items():
        if g.get("confusion"):
            tp[node], fp[node] = int(g["confusion"]["tp"]), int(g["confusion"]["fp"])
            continue
        rates = [0.0 if not g[size] else g.get(rate) for rate, size in (("tpr", "n_pos"), ("fpr", "n_neg"))]
        if rates[0] is not None and rates[1] is not None:
            tp[node], fp[node] = round(rates[0] * g["n_pos"]), round(rates[1] * g["n_neg"])
    return Counts(tp, {n: groups[n]["n_pos"] - v for n, v in tp.items()}), Counts(fp, {n: groups[n]["n_neg"] - v for n, v in fp.items()})


def _protect(quantities: list[Counts], size: Mapping[Node, int], hide: set[Node], always: frozenset[Node], limit: int) -> None:
    """Add groups to `hide` until no small count of any quantity is known; `always` are hidden for another reason."""
    hide |= {node for node in size if node != EVERYBODY and any(q.small(node, limit) for q in quantities)}
    while True:
        near = {node for q in quantities for node in _tied(q, size, hide | always, limit)}
        extra = _smallest(near, size, hide | always) or (_smallest(size, size, hide | always) if near else None)
        if extra is None:
            return
        hide.add(extra)


def _tied(counts: Counts, size: Mapping[Node, int], hide: frozenset[Node] | set[Node], limit: int) -> set[Node]:
    """Groups of a sum by which a small count can be worked out; none when all are safe."""
    sums = list(_sums(size))
    rests = [size[parent] - sum(size[child] for child in children) for parent, children in sums]
    # Rows in no group are one more unknown term of their sum; where there are none, this is known.
    rows = [(*(n for n in (parent, *children) if n in hide), *(((parent, i),) if rests[i] else ())) for i, (parent, children) in enumerate(sums)]
    unknown = {term: place for place, term in enumerate(dict.fromkeys(term for row in rows for term in row))}
    determined = _determined(sums, rows, unknown)
    for index, (parent, children) in enumerate(sums):
        # Hidden groups that only their sum is known of are one larger group, which must not be small either.
        opened = [term for term in rows[index] if term not in determined and term != parent]
        if opened and (parent not in hide or parent in determined) and all(node in counts.value for node in (parent, *children)):
            together = sum(counts.value[child] for child in children if child in opened)
            if 0 < together + (_left_over(counts, parent, children) or 0 if (parent, index) in opened else 0) < limit:
                return {parent, *children}
        if any(counts.small(term, limit) for term in rows[index] if term in determined and term != (parent, index)):
            return {parent, *children}
        if (parent, index) in determined and _left_over(counts, parent, children) in range(1, limit):
            return {parent, *children}
    return set()


def _left_over(counts: Counts, parent: Node, children: tuple[Node, ...]) -> int | None:
    """Rows of a group that are in none of its parts; None where some count is not known here."""
    if not all(node in counts.value for node in (parent, *children)):
        return None
    return counts.value[parent] - sum(counts.value[child] for child in children)


def _sums(size: Mapping[Node, int]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """(total, groups inside it), for every group and every finer family of groups."""
    families = list(dict.fromkeys(names for names, _ in size))
    for finer in families:
        for coarser in families:
            if not set(coarser) < set(finer):
                continue
            place = [finer.index(name) for name in coarser]
            inside: dict[Node, list[Node]] = {node: [] for node in size if node[0] == coarser}
            for node in (node for node in size if node[0] == finer):
                parent = (coarser, tuple(node[1][i] for i in place))
                if parent in inside:
                    inside[parent].append(node)
            for parent, children in inside.items():
                yield parent, tuple(children)


def _determined(sums: list[tuple[Node, tuple[Node, ...]]], rows: list[tuple[Any, ...]], unknown: Mapping[Any, int]) -> set[Any]:
    """Unknown terms to which the sums leave a single value."""
    if not unknown:
        return set()
    matrix: NDArray[np.float64] = np.zeros((len(rows), len(unknown)))
    for index, ((parent, _), terms) in enumerate(zip(sums, rows, strict=True)):
        for term in terms:
            matrix[index, unknown[term]] += -1.0 if term == parent else 1.0
    free = np.abs(null_space(matrix)).max(axis=1, initial=0.0)
    return {term for term, column in unknown.items() if free[column] < TOLERANCE}


def _smallest(nodes: Iterable[Node], size: Mapping[Node, int], hide: set[Node] | frozenset[Node]) -> Node | None:
    return min((node for node in nodes if node != EVERYBODY and node not in hide), key=lambda node: (size[node], node), default=None)
