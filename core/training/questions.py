"""What a measurement asks of a network, one question after the other.

A measurement is a generator that yields questions and is sent their answers. A training alone
answers each with its own network (`answered`); seeds that train together answer the same
question of all networks at once (core/training/stacked_evaluation.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from core.models.batch import Fused
from core.training.evaluate import Evaluator, Outputs

Result = TypeVar("Result")
Work = Generator["Question", Any, Result]


class Question(ABC):
    """Something that one network can answer."""

    @property
    @abstractmethod
    def shape(self) -> tuple[Any, ...]:
        """Questions of the same kind and shape can be answered together."""

    @abstractmethod
    def alone(self, evaluator: Evaluator) -> Any:
        """The answer of this network."""


@dataclass(frozen=True, eq=False)
class Run(Question):
    """The outputs at `rows`."""

    rows: Tensor

    @property
    def shape(self) -> tuple[Any, ...]:
        return tuple(self.rows.shape)

    def alone(self, evaluator: Evaluator) -> Outputs:
        """`Evaluator.run`."""
        return evaluator.run(self.rows)


@dataclass(frozen=True, eq=False)
class Fuse(Question):
    """The fused output from features (n, M, D), present (n, M) and group (n,)."""

    features: Tensor
    present: Tensor
    group: Tensor

    @property
    def shape(self) -> tuple[Any, ...]:
        return tuple(self.features.shape)

    def alone(self, evaluator: Evaluator) -> Fused:
        """`Evaluator.fuse`."""
        return evaluator.fuse(self.features, self.present, self.group)


def answered(work: Work[Result], evaluator: Evaluator) -> Result:
    """What the measurement gives when `evaluator` answers its questions."""
    answer = None
    while True:
        try:
            question = work.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result
        answer = question.alone(evaluator)
