"""How a run is named: the hash of everything that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY_LENGTH_IN_NAME = 10


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, 1 and 1.0 too.

    Raises ValueError on NaN or infinity, which JSON cannot say.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def key_of(spec: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a run specification's canonical JSON: the cache key."""
    return hashlib.sha256(canonical_json(spec).encode()).hexdigest()


def run_id_of(method: str, seed: int, key: str) -> str:
    """Readable and unique: `<method>-s<seed>-<first ten of the key>`."""
    return f"{method}-s{seed}-{key[:KEY_LENGTH_IN_NAME]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
