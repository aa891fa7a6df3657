"""Tables on standard output: aligned for reading, CSV, or JSON for machines."""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.cli import emit

if TYPE_CHECKING:
    import pandas as pd


def formats(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses how `show` prints a table."""
    parser.add_argument("--csv", action="store_true", help="print CSV to stdout")


def show(frame: pd.DataFrame, args: argparse.Namespace, empty: str, columns: list[str] | None = None) -> None:
    """`columns`: those that a reader gets; CSV and JSON hold all."""
    if args.json:
        emit(records(frame))
    elif args.csv:
        from core.tables.csv_export import csv_text

        sys.stdout.write(csv_text(frame))
    elif frame.empty:
        print(empty)
    else:
        seen = frame if columns is None else frame[columns]
        print(seen.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.3f}"))


def show_rows(rows: list[dict[str, Any]], args: argparse.Namespace, empty: str, columns: list[str]) -> None:
    """As `show`, for rows that need no pandas. `columns`: those that a reader gets."""
    if args.json:
        emit([{name: _plain(value) for name, value in row.items()} for row in rows])
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows[0] if rows else columns)
        writer.writerows([["" if value is None else _plain(value) for value in row.values()] for row in rows])
    elif not rows:
        print(empty)
    else:
        cells = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        for line in cells:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else " ".join(str(_plain(value)).split())


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON-ready dictionaries: missing values null, times ISO 8601 in UTC."""
    import pandas as pd

    plain = frame.copy()
    for name in plain.columns:
        if pd.api.types.is_datetime64_any_dtype(plain[name]):
            plain[name] = plain[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    plain = plain.astype(object)
    rows = plain.where(plain.notna(), None).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]
