"""Text tables: which sign parts the columns, what the header says, and the rows as text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from core.errors import UserError
from core.tables.finding import Finding, counted

DELIMITERS = ",;\t|"
RARE_DELIMITERS = "^~\x01\x1f:"
"""Tried where none of the usual ones parts the columns."""
SNIFFED = 64 << 10
MOST_HEADER = 1 << 20
FIRST_ROW = 2
"""The header is row 1 of the file, so the first data row is row 2."""


@dataclass(frozen=True)
class Delimited:
    """Columns as text exactly as written (null nowhere), in the order of the file."""

    names: tuple[str, ...]
    columns: tuple[pa.ChunkedArray, ...]
    delimiter: str
    findings: tuple[Finding, ...] = ()


def parse(utf8: bytes, source: str) -> Delimited:
    """The table in the text.

    Raises
    ------
    UserError
        For an empty file, or rows that have more or fewer values than the header has names.
    """
    if not utf8.strip():
        raise UserError(f"{source}: the file is empty")
    head = utf8[:SNIFFED].decode("utf-8", errors="ignore")
    delimiter, skipped = _delimiter(head)
    if skipped:
        utf8 = utf8.split(b"\n", 1)[1]
        head = head.split("\n", 1)[1]
    if by_spaces(head, delimiter):
        # Columns parted by blanks, as R and statistics programs print them.
        utf8, delimiter = re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", utf8), "\t"
        utf8 = re.sub(rb" +", b"\t", utf8)
        head = utf8[:SNIFFED].decode("utf-8", errors="ignore")
    if re.search(rf'{re.escape(delimiter)} +"', head):
        # A space before the quotation mark: quotes would be taken for text.
        utf8 = _rewritten(utf8, delimiter)
    names, row_names = _header(utf8, delimiter, source)
    if row_names:
        utf8 = delimiter.encode() + utf8.lstrip(b"\r\n")
    table = _rows(utf8, delimiter, source, (["", *names] if row_names else names))
    columns = tuple(table.columns)
    return Delimited(tuple(names), columns[1:] if row_names else columns, delimiter, (_row_names_left_out(table.num_rows),) if row_names else ())


def by_spaces(head: str, delimiter: str) -> bool:
    """Whether the lines hold no usual sign between columns but the same number of words each, at least two."""
    lines = [line.split() for line in head.splitlines()[:50] if line.strip()][:-1]
    if delimiter in head or '"' in head or len(lines) < 3 or len(lines[0]) < 2:
        return False
    return all(len(words) == len(lines[0]) for words in lines)


def _delimiter(head: str) -> tuple[str, bool]:
    """The sign between columns, and whether the first line only names it (`sep=;`, as Excel writes)."""
    named = re.match(r"\s*sep=(.)\r?\n", head, re.IGNORECASE)
    if named:
        return named[1], True
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    best, most = _best(lines, DELIMITERS)
    if most[1] <= 1 and len(lines) > 2:
        rare, parted = _best(lines, RARE_DELIMITERS)
        if parted[0] > 1 and all(len(row) == parted[0] for row in csv.reader(lines, delimiter=rare)):
            return rare, False
    return best, False


def _best(lines: list[str], delimiters: str) -> tuple[str, tuple[int, int]]:
    """The sign that parts the lines into most columns, most alike; the first when none does."""
    best, most = delimiters[0], (0, 0)
    for delimiter in delimiters:
        # Read by the rules of quoting: a comma inside a quoted name must not pass for a delimiter.
        fields = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        first = fields[0] if fields else 1
        alike = Counter(fields)[first] / max(len(fields), 1)
        quality = (first if alike > 0.5 and first > 1 else 0, first)
        if quality > most:
            best, most = delimiter, quality
    return best, most


def _rewritten(utf8: bytes, delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(
        csv.reader(io.StringIO(utf8.decode("utf-8"), newline=""), delimiter=delimiter, skipinitialspace=True)
    )
    return out.getvalue().encode("utf-8")


def _header(utf8: bytes, delimiter: str, source: str) -> tuple[list[str], bool]:
    """The names, and whether every row has one value more in front (R's row names)."""
    text = utf8[:MOST_HEADER].decode("utf-8", errors="ignore").lstrip("\r\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [row for _, row in zip(range(4), (row for row in reader if row), strict=False)]
    except csv.Error as error:
        raise UserError(f"{source}: the header cannot be read ({error})") from None
    if not rows:
        raise UserError(f"{source}: the first line is empty; it must name the columns")
    names = [name.strip() for name in rows[0]]
    longer = [len(row) for row in rows[1:]]
    # Only a last value that is not empty makes it row names; else a delimiter stands at the end of each row.
    one_more = (
        bool(longer) and set(longer) == {len(names) + 1} and all(row[-1].strip() for row in rows[1:]) and len({row[0] for row in rows[1:]}) == len(longer)
    )
    return names, one_more


def _row_names_left_out(rows: int) -> Finding:
    return Finding(
        "nameless-column", "info", "the first column has no name in the header (the names of the rows); it is left out", rows, "Give it a name if it is needed."
    )


def _rows(utf8: bytes, delimiter: str, source: str, names: list[str]) -> pa.Table:
    torn: list[str] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        number = "" if row.number is None else f", row {row.number}"
        torn.append(f"{source}{number}: {row.actual_columns} fields where the header names {row.expected_columns}; correct or quote that row")
        return "error"

    unique = [f"{place}" for place in range(len(names))]
    try:
        return pacsv.read_csv(
            pa.BufferReader(utf8),
            # One thread: row numbers in messages are only known then.
            read_options=pacsv.ReadOptions(use_threads=False, column_names=unique, skip_rows=0),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(column_types={name: pa.string() for name in unique}, strings_can_be_null=False),
        ).slice(1)
    except (pa.ArrowInvalid, OSError) as error:
        if torn:
            raise UserError(torn[0]) from None
        line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise UserError(f"{source}: not a readable table ({line}); check that it is a table with a header") from None


def left_out(columns: list[str]) -> Finding:
    """The finding for nameless columns that hold nothing or only number the rows."""
    return Finding(
        "nameless-column",
        "info",
        f"{counted(len(columns), 'column')} without a name in the header ({', '.join(columns)}), empty or numbering the rows: left out",
        0,
        "Give it a name if it is needed.",
    )


def numbers_rows(column: pa.ChunkedArray) -> bool:
    """Whether the texts are whole numbers, each once: an index that was written along."""
    if not pc.all(pc.match_substring_regex(column, r"^\s*\d+(\.0)?\s*$")).as_py():
        return False
    return bool(pc.count_distinct(column).as_py() == len(column))
