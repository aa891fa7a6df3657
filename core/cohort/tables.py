"""Users' tables as cohorts see them; how they are read is `core.tables`."""

from core.tables.numbers import to_number
from core.tables.reader import MISSING, read_table

__all__ = ["MISSING", "read_table", "to_number"]
