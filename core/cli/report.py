"""`multifair report`: finished runs or an audit as files that need no network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli import common, emit, progress

EPILOG = """examples:
  multifair report --run erm-s1-0a1b2c3d4e multifair-s1-5f6a7b8c9d --out report
  multifair report --audit audit.json --format html,zip,json --out report"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "report", help="write a report of runs or of an audit",
        description="Write a comparison report of finished runs, or the report of an audit, as one HTML file that needs no network, a PDF, a zip with tables "
                    "and drawings, or JSON.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    common(parser)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--run", dest="runs", metavar="ID", nargs="+", action="extend", help="runs to compare (ids, or their unambiguous beginnings)")
    chosen.add_argument("--audit", metavar="FILE.json", help="what multifair audit --json printed, or the JSON of a report")
    parser.add_argument("--attribute", metavar="NAME", help="sensitive attribute to compare by (default: the runs' own)")
    parser.add_argument(
        "--format",
        default="html",
        metavar="LIST",
        help="html, pdf, zip, json, latex, card (a model card in Markdown), chai (CHAI's Applied Model Card, XML), comma separated (default html)",
    )
    parser.add_argument(
        "--suppress",
        type=int,
        metavar="N",
        help="hide counts below N and what would reveal them (default 11, because files may leave the hospital; 0 shows all)",
    )
    parser.add_argument("--earlier", metavar="FILE.json", help="with --audit: an audit of the same model at another date; the report says what has changed")
    parser.add_argument(
        "--answers", metavar="FILE.json", help="answers to the questions that only people can answer, by key: they close items of reporting guidelines"
    )
    parser.add_argument("--out", metavar="FOLDER", default=".", help="where to write (default: here)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.api.reports import write_report
    from core.report.bundle import parse_formats

    formats = parse_formats(args.format)
    if args.audit:
        result: Any = Path(args.audit)
    else:
        from core.api.runs import load_runs

        result = load_runs(args.runs, workspace=args.workspace)
        progress(f"comparing {len(result.run_ids)} runs")
    made = write_report(result, args.out, formats=formats, attribute=args.attribute, suppress=args.suppress, answers=args.answers, earlier=args.earlier)
    if args.json:
        emit({"files": [str(file) for file in made]})
    else:
        for file in made:
            print(file)
    return 0
