"""The DuckDB results cache, rebuilt from run folders at any time."""

from core.store.store import Store

__all__ = ["Store"]
