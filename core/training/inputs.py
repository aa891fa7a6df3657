"""The arrays that a network's encoders read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.models.encoders import build_backbone, pretrained
from core.models.encoders.volume import Volume
from core.models.own_source import own_encoders_digest
from core.models.spec import OWN_CLASS, EncoderChoice, NetworkSpec
from core.training.data import CohortLike, kind_of, shape_of

FROZEN_BATCH = 64
"""Images that a frozen encoder reads at once."""
MAX_TOKENS = 512
FEATURES_VERSION = 1
"""Part of the cache key: raise it when the computation changes."""


def prepare(cohort: CohortLike, spec: NetworkSpec, modalities: tuple[str, ...], cache: Path | None, device: torch.device) -> dict[str, Any]:
    """Arrays per modality, as core/models/batch.py describes them.

    Text for a pretrained language model is cut by its own tokenizer. A frozen encoder is
    run here, once for the whole cohort, and its features stand in for its input; with a
    `cache` folder all methods and seeds share them.
    """
    result: dict[str, Any] = {}
    for name in modalities:
        kind = kind_of(cohort, name)
        choice = spec.encoder(name, kind)
        if kind == "tabular" and choice.name != OWN_CLASS:
            choice = EncoderChoice("small")
        path = None
        if choice.frozen and cache is not None:
            path = features_file(cache, cohort.cohort_id, name, choice, spec.image_size)
            kept = _kept(path)
            if kept is not None and len(kept) == len(cohort.table):
                result[name] = kept
                continue
        # Enlarged pixels cost time and hold nothing new; pretrained encoders want their own size.
        native = cohort.native_size(name) if choice.name == "small" else None
        array = cohort.array(name, spec.image_size if native is None else min(spec.image_size, native))
        if kind == "text" and choice.name in ("hf", "minilm"):
            array = _tokens(cohort, name, choice)
        if choice.frozen:
            array = frozen_features(spec, name, kind, array, device)
            if path is not None:
                _save(path, array)
        result[name] = array
    return result


def _kept(path: Path) -> NDArray[Any] | None:
    """Features that were kept; None where there are none, or the file was cut off: then they are made again."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if getattr(array, "ndim", 0) > 1 and array.dtype.kind == "f" else None


def features_file(cache: Path, cohort_id: str, modality: str, choice: EncoderChoice, image_size: int) -> Path:
    """Where the features of a frozen encoder on one modality of a cohort are kept."""
    return cache / "features" / f"{cohort_id}-{_key(modality, choice, image_size)}.npy"


@torch.no_grad()
def frozen_features(spec: NetworkSpec, name: str, kind: str, array: Any, device: torch.device) -> np.ndarray:
    """(n, F) float32 features of a pretrained encoder that is not trained; slices of a volume are averaged."""
    parts = array if isinstance(array, Mapping) else {"": array}
    backbone = build_backbone(spec, name, shape_of(parts, kind))
    encoder = backbone.slice_backbone if isinstance(backbone, Volume) else backbone
    encoder.to(device).eval()
    # All slices of a volume are images: many volumes at once would be thousands of them.
    at_once = max(1, FROZEN_BATCH // parts[""].shape[1]) if isinstance(backbone, Volume) else FROZEN_BATCH
    features = []
    for start in range(0, len(next(iter(parts.values()))), at_once):
        batch = {part: torch.from_numpy(np.array(a[start : start + at_once])).to(device) for part, a in parts.items()}
        if isinstance(backbone, Volume):
            slices = batch[""]
            flat = encoder(slices.flatten(0, 1)[:, None])
            features.append(flat.view(*slices.shape[:2], -1).mean(1))
        else:
            features.append(encoder(batch.get("", batch)))
    return torch.cat(features).float().cpu().numpy()


def _tokens(cohort: CohortLike, name: str, choice: EncoderChoice) -> dict[str, np.ndarray]:
    """Token ids and mask of the raw texts, cut to the longest one present."""
    source = choice.source or str(pretrained.minilm_folder())
    tokenizer = pretrained.tokenizer(source)
    limit = min(MAX_TOKENS, tokenizer.model_max_length)
    texts = [text or "" for text in cohort.texts(name)]
    encoded = tokenizer(texts, padding="longest", truncation=True, max_length=limit, return_tensors="np")
    return {"ids": encoded["input_ids"].astype(np.int64), "mask": encoded["attention_mask"].astype(bool)}


def _key(name: str, choice: EncoderChoice, size: int) -> str:
    """What the features depend on besides the cohort; a folder counts with its files' sizes and dates."""
    parts = [str(FEATURES_VERSION), name, str(choice), str(size)]
    if choice.name == OWN_CLASS:
        parts.append(own_encoders_digest({name: str(choice)}))
    if choice.source and Path(choice.source).is_dir():
        for file in sorted(Path(choice.source).iterdir()):
            parts.append(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _save(path: Path, array: np.ndarray) -> None:
    """Write features so that a run beside this one sees all of them or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    np.save(temporary, array, allow_pickle=False)
    os.replace(temporary, path)
