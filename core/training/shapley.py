"""Which coalitions of modalities to evaluate, and how their values become Shapley values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import factorial

import numpy as np

Coalition = tuple[bool, ...]
EXACT_UP_TO = 6
SAMPLED_PERMUTATIONS = 32


def shapley_weights(n_players: int, rng: np.random.Generator) -> tuple[list[Coalition], np.ndarray]:
    """Coalitions S and the matrix (M, number of S) that takes their values v(S) to phi.

    All 2^M coalitions up to M = 6; above, those met along sampled permutations, half of
    them reversed copies of the other half. Either way the sum of phi is v(all) - v(empty).

    Source: Shapley, A value for n-person games, 1953; sampling: Castro et al., 2009.
    """
    if n_players <= EXACT_UP_TO:
        return _exact(n_players)
    return _sampled(n_players, rng)


def _exact(n: int) -> tuple[list[Coalition], np.ndarray]:
    coalitions = list(product((False, True), repeat=n))
    position = {coalition: i for i, coalition in enumerate(coalitions)}
    weights = np.zeros((n, len(coalitions)))
    for coalition in coalitions:
        size = sum(coalition)
        for m in range(n):
            if not coalition[m]:
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                joined = (*coalition[:m], True, *coalition[m + 1 :])
                weights[m, position[joined]] += weight
                weights[m, position[coalition]] -= weight
    return coalitions, weights


def _sampled(n: int, rng: np.random.Generator) -> tuple[list[Coalition], np.ndarray]:
    orders: list[np.ndarray] = []
    for _ in range(SAMPLED_PERMUTATIONS // 2):
        order = rng.permutation(n)
        orders += [order, order[::-1]]
    position: dict[Coalition, int] = {}
    steps: list[tuple[int, int, int]] = []
    for order in orders:
        members = [False] * n
        before = position.setdefault(tuple(members), len(position))
        for m in order:
            members[m] = True
            after = position.setdefault(tuple(members), len(position))
            steps.append((int(m), before, after))
            before = after
    for m in range(n):  # what taking one modality away costs is asked for as well
        position.setdefault(tuple(k != m for k in range(n)), len(position))
    weights = np.zeros((n, len(position)))
    for m, before, after in steps:
        weights[m, after] += 1 / len(orders)
        weights[m, before] -= 1 / len(orders)
    return list(position), weights


def interaction_weights(n_players: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray | None:
    """The matrix (P, number of S) that takes the values v(S) of `shapley_weights` to the interaction of each pair of players.

    I_ij = sum over S without i and j of |S|! (n - |S| - 2)! / (n - 1)! [v(S + i + j) - v(S + i) - v(S + j) + v(S)]: above 0
    where the two are worth more together than apart, below 0 where they say the same. None where coalitions are sampled:
    those met along permutations do not hold the four that each term needs.

    Source: Grabisch and Roubens, An axiomatic approach to the concept of interaction among players, 1999.
    """
    if n_players > EXACT_UP_TO:
        return None
    coalitions = list(product((False, True), repeat=n_players))
    position = {coalition: at for at, coalition in enumerate(coalitions)}
    weights = np.zeros((len(pairs), len(coalitions)))
    for row, pair in enumerate(pairs):
        for coalition in coalitions:
            if any(coalition[player] for player in pair):
                continue
            weight = factorial(sum(coalition)) * factorial(n_players - sum(coalition) - 2) / factorial(n_players - 1)
            for joined, sign in (((), 1), (pair[:1], -1), (pair[1:], -1), (pair, 1)):
                weights[row, position[tuple(kept or player in joined for player, kept in enumerate(coalition))]] += sign * weight
    return weights
