"""`multifair audit FILE`: audit anybody's predictions; needs no model and no cohort."""

from __future__ import annotations

import argparse
import csv
from typing import TYPE_CHECKING

from core.cli import common, emit, progress
from core.errors import UserError, option

if TYPE_CHECKING:
    from core.api.audits import AuditResult
    from core.audit import AuditOptions, Mapping
    from core.audit.plan import AuditPlan

EPILOG = """\
as a gate in continuous integration (CI.md has whole examples):
  multifair audit predictions.csv --label y --score s --attributes sex,age --fail-on disparity
ends with 0 where no disparity is shown, 1 where one is, 2 where the file cannot be used. 0 is no proof of
fairness: with too few patients every verdict is 'not enough data'; read the verdicts."""
DESCRIPTION = """\
Audit a table of predictions. A prediction is positive when its score is at least the
threshold (.5 unless said). Several models: name several score columns, or a model column."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "audit", help="audit a file of predictions for fairness", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common(parser)
    parser.add_argument("file", metavar="FILE", help="table with one row per sample (and model): CSV, TSV, XLSX, ODS, Parquet, Stata, SAS or SPSS")
    _columns(parser)
    _choices(parser)
    parser.add_argument(
        "--plan", metavar="FILE.json", help="what multifair plan-audit wrote: it fixes primary attributes and metrics, tolerance and operating point"
    )
    parser.add_argument("--curves", action="store_true", help="with --json: reliability and decision curves per group as well")
    parser.add_argument("--fail-on", choices=("disparity",), help="exit with 1 when a disparity is found")
    parser.set_defaults(run=run)


def _columns(parser: argparse.ArgumentParser) -> None:
    """What each column is."""
    roles = parser.add_argument_group("columns")
    roles.add_argument("--label", metavar="COL", required=True, help="true label, two values")
    roles.add_argument(
        "--positive",
        metavar="VALUE",
        help="what is positive, where the values do not say it: a value, several as 'A|B', a grade as '>=2', or 'contains FINDING'",
    )
    roles.add_argument(
        "--classes",
        metavar="A,B,C",
        help="three or more values of the label to be told apart, or all: one audit for each, against all others; name one --score column for each class",
    )
    roles.add_argument(
        "--uncertain",
        choices=("exclude", "negative", "positive"),
        default="exclude",
        help="what uncertain labels (-1 beside 0 and 1) mean (default: their rows are left out)",
    )
    roles.add_argument(
        "--blank", choices=("exclude", "negative", "positive"), default="exclude", help="what an empty label means (default: its row is left out)"
    )
    roles.add_argument(
        "--merge",
        metavar="COL=NEW:OLD,OLD",
        action="append",
        default=[],
        help="merge groups before anything else; nothing before the colon counts them as missing (repeat for more)",
    )
    roles.add_argument("--score", metavar="COL[,COL]", action="append", help="score, higher means more likely positive; several columns are several models")
    roles.add_argument("--attributes", "--attribute", metavar="A,B", action="append", required=True, help="sensitive attributes")
    roles.add_argument("--id", metavar="COL", help="id of the sample; aligns several models")
    roles.add_argument("--patient", metavar="COL", help="patient of the sample, where patients have several")
    roles.add_argument("--prediction", metavar="COL[,COL]", action="append", help="predicted label, used for the rates instead of a threshold")
    roles.add_argument("--model", metavar="COL", help="name of the model, for several models below each other")
    roles.add_argument("--weights", metavar="COL", help="sampling weights")
    roles.add_argument("--split", metavar="COL", help="train/validation/test: test is audited, a target's threshold is chosen on validation")
    roles.add_argument("--sheet", metavar="NAME", help="sheet of a workbook, by its name or number")
    roles.add_argument("--encoding", metavar="NAME", help="encoding of a text file, where it is not recognised")
    roles.add_argument("--metadata", metavar="FILE", help="another file that holds the attributes, joined by --on")
    roles.add_argument("--on", metavar="ID", help="id of the sample or patient, in both files")


def _choices(parser: argparse.ArgumentParser) -> None:
    """What is compared, and at which operating point."""
    choices = parser.add_argument_group("choices")
    choices.add_argument("--threshold", type=float, metavar="X", help="a prediction is positive from this score on (default .5)")
    choices.add_argument("--target", metavar="KIND=VALUE", help="choose the threshold: sensitivity=.9, specificity=.9, selection_rate=.2 or youden")
    choices.add_argument("--per-group-threshold", action="store_true", help="choose the target's threshold for every group by itself")
    choices.add_argument(
        "--tolerance",
        metavar="[METRIC=]X[,METRIC=X]",
        action="append",
        help="largest acceptable difference between groups (default .05), for all or single metrics",
    )
    choices.add_argument("--intersections", type=int, default=1, metavar="DEPTH", help="2 looks at pairs of attributes, 3 at triples, ... (default 1)")
    choices.add_argument(
        "--missing",
        choices=("group", "exclude"),
        default="exclude",
        help="missing attribute values are left out (default) or a group of their own; they are counted either way",
    )
    choices.add_argument(
        "--bins",
        metavar="COL=X,Y,...",
        action="append",
        help="edges that cut a numeric attribute into bands, for example age=18,40,65 (default: quartiles where it has more than ten values)",
    )
    _claims(choices)


def _claims(choices: argparse._ArgumentGroup) -> None:
    """What is claimed, and from how much data."""
    choices.add_argument(
        "--primary-attributes",
        metavar="A,B",
        action="append",
        help="attributes that the audit was made to answer; all else is exploratory (default: every single attribute)",
    )
    choices.add_argument("--primary-metrics", metavar="M,M", action="append", help="metrics that it was made to answer (default: auc)")
    choices.add_argument(
        "--reference",
        metavar="[COL=]GROUP",
        action="append",
        help="group that others are compared with where an attribute has too many groups for all pairs (default: the best)",
    )
    choices.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="bootstrap replicates, 0 for none (default 1000)")
    choices.add_argument(
        "--permutations", type=int, metavar="N", help="accepted for commands of version 1 and without effect: the chance of a gap is drawn, nothing is permuted"
    )
    choices.add_argument(
        "--gap", type=float, metavar="X", help="difference for which to say how many more patients each group needs (default: twice the tolerance)"
    )
    choices.add_argument("--min-positives", type=int, default=5, metavar="N", help="a group with fewer positives is not judged (default 5)")
    choices.add_argument("--min-negatives", type=int, default=5, metavar="N", help="the same for negatives (default 5)")
    choices.add_argument("--min-rows", type=int, default=10, metavar="N", help="the same for rows of an intersection (default 10)")
    choices.add_argument("--alpha", type=float, default=0.05, metavar="X", help="error rate of verdicts; intervals cover one minus it (default .05)")
    choices.add_argument("--power", type=float, default=0.8, metavar="X", help="power to plan for (default .8)")
    choices.add_argument("--calibration-bins", type=int, default=10, metavar="N", help="bins of the calibration error (default 10)")
    choices.add_argument("--seed", type=int, default=0, metavar="N")


def run(args: argparse.Namespace) -> int:
    from core.api.audits import audit_predictions

    plan = plan_of(args)
    options = options_of(args) if plan is None else by_plan(options_of(args), plan, args)
    if args.classes is not None:
        return by_class(args, options)
    result = audit_predictions(args.file, columns=mapping_of(args), metadata=args.metadata, on=args.on, options=options)
    models = len(result.audit.models)
    progress(f"{args.file}: {result.audit.n} samples, {models} model{'s' if models > 1 else ''}")
    if args.json:
        emit({**result.to_dict(), **({} if plan is None else {"plan": plan.to_dict()})})
    else:
        print(in_words(result))
    return 1 if args.fail_on == "disparity" and result.has_disparity else 0


def in_words(result: AuditResult) -> str:
    """An audit for a terminal, what it says first at its head."""
    from core.audit.output.text import render

    said = result.answer
    return render(result.audit, [line for line in (f"{said.word or ''}: {said.sentence}".lstrip(": "), said.exploratory) if line])


def by_class(args: argparse.Namespace, options: AuditOptions) -> int:
    """An audit for each class of the label, one below the other."""
    from core.api.class_audits import CAVEAT, audit_classes

    if args.positive is not None or args.plan:
        raise UserError("--classes goes without --positive and --plan: every class is positive in an audit of its own")
    scores = names(args.score)
    if not scores:
        raise UserError("--classes needs scores: name one --score column for each class")
    results = audit_classes(args.file, args.classes, scores, mapping_of(args, scores[:1]), metadata=args.metadata, on=args.on, options=options)
    caveat = CAVEAT.format(n=len(results))
    progress(f"{args.file}: {len(results)} classes. {caveat}")
    if args.json:
        emit({"note": caveat, "classes": {name: result.to_dict() for name, result in results.items()}})
    else:
        for name, result in results.items():
            print(f"##### {name} against all other classes, score: {result.audit.models[0].model}\n{in_words(result)}\n")
    return 1 if args.fail_on == "disparity" and any(result.has_disparity for result in results.values()) else 0


def plan_of(args: argparse.Namespace) -> AuditPlan | None:
    """The plan that was named. Raises UserError when it is none, or was changed."""
    if not args.plan:
        return None
    from pathlib import Path

    from core.audit.plan import read_plan

    return read_plan(Path(args.plan).expanduser())


def by_plan(options: AuditOptions, plan: AuditPlan, args: argparse.Namespace) -> AuditOptions:
    """The options with what the plan fixes. Raises UserError where they are given twice."""
    from dataclasses import replace

    fixed = ("threshold", "target", "tolerance", "primary_attributes", "primary_metrics")
    twice = [f"--{name.replace('_', '-')}" for name in fixed if getattr(args, name) is not None]
    if twice:
        raise UserError(f"the plan fixes {twice[0]} already: leave it out, or audit without --plan")
    planned = plan.options()
    return replace(options, **{name: getattr(planned, name) for name in (*fixed, "tolerances")})


def mapping_of(args: argparse.Namespace, score: tuple[str, ...] | None = None) -> Mapping:
    """The roles of the columns as given; `score` in place of the columns named."""
    from core.audit import Mapping

    return Mapping(
        label=args.label,
        # A predicted label alone is audited as it is; a finding says what its two values cannot tell.
        score=score or names(args.score) or names(args.prediction),
        attributes=names(args.attributes),
        id=args.id,
        patient=args.patient,
        prediction=names(args.prediction),
        model=args.model,
        weights=args.weights,
        split=args.split,
        positive=args.positive,
        uncertain=args.uncertain,
        blank=args.blank,
        merge=tuple(args.merge),
        sheet=args.sheet,
        encoding=args.encoding,
    )


def options_of(args: argparse.Namespace) -> AuditOptions:
    """The choices as given."""
    from core.audit import AuditOptions, Target

    common_tolerance, single = tolerances(args.tolerance)
    return AuditOptions(
        threshold=args.threshold,
        target=Target.parse(args.target) if args.target else None,
        per_group_threshold=args.per_group_threshold,
        tolerance=common_tolerance,
        tolerances=single,
        bootstrap=args.bootstrap,
        seed=args.seed,
        min_positives=args.min_positives,
        min_negatives=args.min_negatives,
        min_rows=args.min_rows,
        alpha=args.alpha,
        power=args.power,
        calibration_bins=args.calibration_bins,
        intersections=args.intersections,
        missing=args.missing,
        bands=bands(args.bins),
        primary_attributes=names(args.primary_attributes),
        primary_metrics=names(args.primary_metrics) or ("auc",),
        reference=references(args.reference, names(args.attributes)),
        gap=args.gap,
        curves=args.curves,
    )


def names(given: list[str] | None) -> tuple[str, ...]:
    """Comma-separated and repeated names as one list; a name that holds a comma stands in double quotes."""
    return tuple(name.strip() for row in csv.reader(given or (), skipinitialspace=True) for name in row if name.strip())


def tolerances(given: list[str] | None) -> tuple[float, dict[str, float]]:
    """`.05`, `auc=.03` or both as (for all, for single metrics)."""
    common_tolerance, single = 0.05, {}
    for text in names(given):
        metric, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise UserError(f"--tolerance {text}: '{value}' is not a number; write .05 or auc=.03") from None
        if metric:
            single[metric.strip()] = number
        else:
            common_tolerance = number
    return common_tolerance, single


def bands(given: list[str] | None) -> dict[str, tuple[float, ...]]:
    """`age=18,40,65`, once for each attribute, as edges by attribute."""
    found: dict[str, tuple[float, ...]] = {}
    for text in given or ():
        column, _, edges = text.rpartition("=")
        if not column.strip():
            raise UserError(f"--bins {text}: name the column, for example --bins age=18,40,65")
        try:
            found[column.strip()] = tuple(float(edge) for edge in edges.split(","))
        except ValueError:
            raise UserError(f"--bins {text}: '{edges}' is not a list of numbers; write for example --bins age=18,40,65") from None
    return found


def references(given: list[str] | None, attributes: tuple[str, ...]) -> dict[str, str]:
    """`sex=F`, or `F` alone where there is one attribute, as group by attribute."""
    found: dict[str, str] = {}
    for text in given or ():
        column = max((name for name in attributes if text.startswith(f"{name}=")), key=len, default=None)
        if column is not None:
            found[column] = text[len(column) + 1 :].strip()
        elif len(attributes) == 1:
            found[attributes[0]] = text.strip()
        else:
            raise UserError(f"--reference {text}: say of which attribute, for example {option('--reference', f'{attributes[0]}={text}')}")
    return found
