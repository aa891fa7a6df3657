"""Trains under torchrun and writes what the first process reports: `torchrun ... -m tests.training.two_processes OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from core.training import shards
from core.training.presets import make_spec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort

TABLES = {"vitals": "tabular", "labs": "tabular"}
PLAIN = {"optimizer": "sgd", "lr": 0.02}
"""Under AdamW a gradient that is twice too large does nothing, which would hide a wrong sum."""
PIXELS = {"photo": "image", "vitals": "tabular"}
SLOW = {"optimizer": "sgd", "lr": 1e-5}
"""Small convolutions over batches of 9 multiply differences in the last digit some fivefold a step, so that they must move slowly to stay comparable."""
CASES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "multifair": ("multifair", TABLES, {}),
    "multifair-plus": ("multifair-plus", TABLES, PLAIN),
    "group-dro": ("group-dro", TABLES, PLAIN),
    "mmpareto": ("mmpareto", TABLES, PLAIN),
    **{f"{method} on pixels": (method, PIXELS, SLOW) for method in ("multifair", "multifair-plus", "group-dro", "mmpareto")},
    "volume": ("erm", {"photo": "image", "scan": "volume"}, {"dropout": 0.0, **SLOW}),
}
"""Name -> method, kinds of modalities, settings. Noise of attention in an encoder cannot be divided: the volume goes without."""


def case(name: str) -> dict[str, Any]:
    """Events and scores of one training; batches of 9, the last one of each epoch of another size."""
    torch.set_num_threads(1)
    method, kinds, settings = CASES[name]
    cohort, sink = SyntheticCohort(n=120, kinds=kinds, image_size=16), ListSink()
    given = {"epochs": 2, "batch_size": 9, "width": 16, "image_size": 16, "bootstrap": 5, "telemetry.probe_every": 4, **settings}
    train(cohort, make_spec(method, attribute="site", seed=3, settings=given), sink, device="cpu")
    events = [{key: value for key, value in event.items() if key not in ("time", "seconds")} for event in sink.events if event["event"] != "progress"]
    return {"events": events, "scores": None if sink.frame is None else sink.frame["score"].tolist()}


def main(out: str) -> None:
    found = {name: case(name) for name in CASES}
    Path(f"{out}.{shards.rank()}").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
