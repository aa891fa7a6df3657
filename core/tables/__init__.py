"""Users' tables: one reader for cohorts, predictions and uploads, and what their words and numbers mean."""

from core.tables.finding import Finding
from core.tables.reader import SUFFIXES, Table, is_table, read, read_table

__all__ = ["SUFFIXES", "Finding", "Table", "is_table", "read", "read_table"]
