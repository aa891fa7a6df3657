"""Budgets and networks by name: minutes on a laptop, an evening, or as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import UserError
from core.methods import get
from core.models.spec import NetworkSpec
from core.training.spec import Budget, TelemetrySpec, TrainSpec, override


@dataclass(frozen=True)
class Preset:
    """A network and a budget under a name."""

    summary: str
    network: NetworkSpec
    budget: Budget
    telemetry: TelemetrySpec = field(default_factory=TelemetrySpec)


PRESETS: Mapping[str, Preset] = {
    "quick": Preset(
        "small encoders at 64 pixels, a minute on one CPU core",
        NetworkSpec(width=64, heads=4, layers=1, image_size=64),
        Budget(epochs=10, batch_size=32, lr=1e-3, classifier_lr=2e-3),
        TelemetrySpec(probe_every=20),
    ),
    "standard": Preset(
        "small encoders at 128 pixels, three times as long",
        NetworkSpec(width=128, heads=4, layers=2, image_size=128),
        Budget(epochs=30, batch_size=32, lr=5e-4, classifier_lr=1e-3, augment="flip"),
    ),
    # FairVision's published values; FairVLMed: network.width=256, heads=8, layers=3.
    "paper": Preset(
        "ViT-B/16 and BERT-base as published; needs their weights on this machine and a GPU. Tested with random weights of these shapes; "
        "never trained to its end by this project, so what it reaches is not known",
        NetworkSpec(
            width=128,
            heads=4,
            layers=2,
            image_size=224,
            encoders={
                "image": "hf:google/vit-base-patch16-224-in21k",
                "volume": "hf:google/vit-base-patch16-224-in21k",
                "text": "hf:bert-base-uncased",
            },
        ),
        Budget(epochs=10, batch_size=32, lr=3e-5, classifier_lr=1e-5, weight_decay=6e-3, classifier_weight_decay=3e-3, schedule="constant"),
    ),
}


def make_spec(
    method: str,
    preset: str = "quick",
    attribute: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> TrainSpec:
    """The specification of one training; `settings` as in `core.training.spec.override`.

    UserError names an unknown preset, method, setting, or a value that does not fit.
    """
    if preset not in PRESETS:
        raise UserError(f"no preset is named {preset!r}; known: {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    known = tuple(get(method).Settings.__dataclass_fields__)
    spec = TrainSpec(method, {}, attribute, seed, preset, chosen.network, chosen.budget, "fp32", chosen.telemetry)
    spec = override(spec, settings or {}, known)
    try:
        get(method).parse_settings(spec.settings)
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    return spec
