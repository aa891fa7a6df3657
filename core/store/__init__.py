"""The DuckDB results cache, rebuilt from run folders at any time."""

from core.store.store import Store
from core.store.summary import test_summary

__all__ = ["Store", "test_summary"]
