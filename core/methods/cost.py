"""Cost of a training step relative to erm, as measured and kept beside the methods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("step_cost.json")


@dataclass(frozen=True)
class Costs:
    """Step time over erm's, by method; a method not in it has not been measured."""

    conditions: str
    ratios: Mapping[str, float]


def known_costs() -> Costs:
    """What `step_cost.json` holds; nothing where it has never been measured."""
    if not FILE.is_file():
        return Costs("not measured yet: multifair methods --measure", {})
    value = json.loads(FILE.read_text(encoding="utf-8"))
    return Costs(str(value["conditions"]), {str(k): float(v) for k, v in value["ratios"].items()})
