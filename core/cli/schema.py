"""`multifair schema NAME`: the form of a document, as a JSON Schema to check it against."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "schema", help="print the JSON Schema of a document", description="Print the JSON Schema (draft 2020-12) of what a command prints or writes as JSON."
    )
    parser.add_argument(
        "document",
        choices=("audit", "report"),
        help="audit: what multifair audit --json prints; report: what multifair report --format json writes",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.document == "report":
        from core.report.schema import report_schema

        emit(report_schema())
        return 0
    from core.audit.output.schema import audit_schema

    emit(audit_schema())
    return 0
