"""`multifair query`: query the results cache in SQL."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, emit
from core.cli.tables import formats, show
from core.errors import UserError

DESCRIPTION = """\
Ask the results cache one SELECT (DuckDB's SQL): runs, epochs, telemetry, predictions, cohorts, attributes. Read only:
nothing can be changed, and no file, network or extension can be reached. Example: multifair query "select method,
avg(value) from telemetry join runs using (run_id) where name = 'unimodal.auc' group by method" """


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("query", help="query the results cache in SQL", description=DESCRIPTION)
    common(parser)
    formats(parser)
    parser.add_argument("sql", metavar="SELECT", nargs="?", help="one SELECT, in quotes")
    parser.add_argument("--tables", action="store_true", help="list the tables with their columns")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.store.query import query, tables
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    if args.tables == (args.sql is not None):
        raise UserError('give a query, such as "select * from runs", or --tables')
    if args.sql is not None:
        show(query(workspace, args.sql), args, "No rows.")
        return 0
    found = tables(workspace)
    if args.json:
        emit([{"table": table.name, "rows": table.rows, "columns": table.columns} for table in found])
        return 0
    for table in found:
        print(f"{table.name} ({table.rows} rows): {', '.join(f'{name} {kind.lower()}' for name, kind in table.columns.items())}")
    return 0
