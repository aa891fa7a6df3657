"""torch's optimizers, without the second of processor time that loading its compiler takes.

torch loads its compiler with the first optimizer, to keep it out of the optimizer's methods.
Nothing in this program is compiled: here the methods that stand behind those wrappers are
called themselves. Numbers are the same; where a version of torch has other wrappers, only the
second is not saved.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

MARK = "__dynamo_disable"
"""What torch's wrapper of a method looks for first: the function that it is to call."""


def _step_of(optimizer: type[torch.optim.Optimizer]) -> Callable[..., Any]:
    bare = inspect.unwrap(optimizer.step)

    @torch.no_grad()
    def step(self: torch.optim.Optimizer, closure: Callable[[], float] | None = None) -> Any:
        return bare(self, closure)

    return step


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`."""

    step = _step_of(torch.optim.AdamW)


class SGD(torch.optim.SGD):
    """`torch.optim.SGD`."""

    step = _step_of(torch.optim.SGD)


def _spare_the_compiler() -> None:
    for method in vars(torch.optim.Optimizer).values():
        bare = getattr(method, "__wrapped__", None)
        if inspect.isfunction(bare):
            setattr(bare, MARK, bare)


_spare_the_compiler()
