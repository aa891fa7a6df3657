"""`multifair methods`: what can be trained, and what to know before choosing."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from core.cli import common, emit, progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "methods",
        help="the training methods with their cards",
        description="The training methods: family, paper, what they need at inference, what they do not support, measured cost of a step relative to erm.",
    )
    common(parser)
    parser.add_argument("--measure", action="store_true", help="measure the cost of a step on this machine and store it (minutes)")
    parser.add_argument("--absent", action="store_true", help="methods known in the field that are not included, and why")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.methods.cost import known_costs
    from core.methods.source import cards

    if args.absent:
        return _absent(args)
    if args.measure:
        from core.study.step_cost import measure_and_store

        measure_and_store(progress)
    costs = known_costs()
    rows: list[dict[str, Any]] = []
    for name, card in cards().items():
        rows.append(
            {
                "name": name,
                "title": card.title,
                "family": card.family,
                "paper": card.paper,
                "summary": card.summary,
                "inference_needs": card.inference_needs,
                "limits": card.limits,
                "departures": card.departures,
                "step_cost": costs.ratios.get(name),
            }
        )
    if args.json:
        emit(rows)
        return 0
    for entry in rows:
        cost = "not measured" if entry["step_cost"] is None else f"{entry['step_cost']:.2f} x erm"
        print(f"{entry['name']} ({entry['family']}; {cost}) - {entry['title']}")
        for key in ("summary", "paper", "inference_needs", "limits", "departures"):
            heading = {
                "summary": "",
                "paper": "paper: ",
                "inference_needs": "at inference: ",
                "limits": "limits: ",
                "departures": "differs from the published: ",
            }[key]
            print(textwrap.fill(heading + str(entry[key]), 110, initial_indent="    ", subsequent_indent="      "))
    print(f"\nStep cost: {costs.conditions}")
    return 0


def _absent(args: argparse.Namespace) -> int:
    from core.methods.absent import absent_methods

    if args.json:
        emit([vars(one) for one in absent_methods()])
        return 0
    for one in absent_methods():
        print(f"{one.name} - {one.paper}")
        print(textwrap.fill(one.reason, 110, initial_indent="    ", subsequent_indent="    "))
    return 0
