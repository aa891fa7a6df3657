"""The DuckDB results cache, rebuilt from run folders at any time."""
