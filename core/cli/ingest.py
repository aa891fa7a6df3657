"""`multifair ingest`: save a table and its files as a cohort."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import common, emit, progress
from core.errors import UserError

if TYPE_CHECKING:
    from core.cohort import Cohort, Modality, Roles

EPILOG = """what is not given is guessed from names and values; a manifest.toml beside the table is used when no
role is given. Rows whose files cannot be read safely are set aside and reported.

examples:
  multifair ingest clinic.csv --images photos.zip --label malignant --attribute sex
  multifair ingest cohort.csv --image fundus=fundus_path --tabular labs=age,bmi --split '' --json"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "ingest",
        help="save a table and its images as a cohort",
        description="Read a table (CSV, TSV, XLSX, ODS, Parquet, Stata, SAS or SPSS) and its files, check them, and save them as a cohort.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common(parser)
    parser.add_argument("table", metavar="TABLE", help="the table, or a folder that holds cohort.csv, one table or those of a well-known cohort")
    parser.add_argument("--images", metavar="FOLDER_OR_ZIP", help="where the files named in the table are (default: the table's folder)")
    parser.add_argument("--manifest", metavar="FILE.toml", help="roles of the columns, as TOML or JSON")
    for option, what in (("--id", "column that identifies a row"), ("--patient", "column that identifies the patient"), ("--label", "column to predict")):
        parser.add_argument(option, metavar="COL", help=what)
    _label_and_splits(parser)
    parser.add_argument("--cross", metavar="A,B", action="append", default=[], help="take attributes together as one more, such as sex,race (repeat for more)")
    parser.add_argument("--attribute", metavar="COL", action="append", default=[], help="sensitive attribute (repeat for more)")
    parser.add_argument("--attributes", metavar="A,B", dest="attribute", action="extend", type=_listed, default=[], help="several of them in one go")
    for kind, form in (("image", "NAME=COL"), ("volume", "NAME=COL"), ("text", "NAME=COL"), ("tabular", "NAME=COL,COL")):
        parser.add_argument(f"--{kind}", metavar=form, action="append", default=[], help=f"{kind} modality (repeat for more)")
    for option, form, what in (
        ("--merge", "COL=NEW:OLD,OLD", "merge groups; nothing before the colon counts them as missing"),
        ("--bins", "COL=X,Y", "bands of a numeric column as a sensitive attribute, for example age=18,40,65"),
        ("--join", "FILE:ID", "another table with facts on the same ID (FILE:HERE=THERE where its name differs), or the same columns for further rows"),
    ):
        parser.add_argument(option, metavar=form, action="append", default=[], help=f"{what} (repeat for more)")
    parser.add_argument(
        "--layout",
        metavar="NAME",
        help="the table is that of a well-known cohort: chexpert, mimic-cxr, nih, isic, ham10000, pad-ufes, fitzpatrick17k, papila, odir, "
        "brset, aptos, rsna, fairvision or fairvlmed (recognised by itself; with this, columns that repeat its label are dropped for any label)",
    )
    parser.add_argument("--sheet", metavar="NAME", help="sheet of a workbook, by its name or number")
    parser.add_argument("--encoding", metavar="NAME", help="encoding of a text table, where it is not recognised")
    parser.add_argument("--drop", metavar="COL", action="append", default=[], help="column that no model may see (repeat for more)")
    parser.add_argument("--name", help="what to call the cohort")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="edge kept of images and slices (default: from the files, at most 128)")
    parser.add_argument("--seed", type=int, default=0, help="of the splits, when they are made (default 0)")
    parser.add_argument("--strict", action="store_true", help="refuse the cohort when any row would be set aside")
    parser.set_defaults(run=run)


def _label_and_splits(parser: argparse.ArgumentParser) -> None:
    """What the label means, and how the rows are divided."""
    parser.add_argument("--positive", metavar="VALUE", help="what counts as positive: a value, several as 'A|B', a grade as '>=2', or 'contains FINDING'")
    parser.add_argument(
        "--classes", metavar="A,B,C", help="three or more values of the label to be told apart, the one without disease first; all: every value in its order"
    )
    parser.add_argument(
        "--uncertain", choices=("exclude", "negative", "positive"), help="what uncertain labels (-1 beside 0 and 1) mean (default: their rows are set aside)"
    )
    parser.add_argument("--blank", choices=("exclude", "negative", "positive"), help="what an empty label means (default: its row is set aside)")
    parser.add_argument("--split", metavar="COL", help="column with train, validation, test, or with folds (the last is the test set); '' has splits made")
    parser.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help=(
            "also divide into K folds for cross-validation (multifair train --folds), patients whole, label and groups in proportion; a test set of "
            "--split stays locked"
        ),
    )
    parser.add_argument("--fold", metavar="COL", help="column with the table's own folds, for cross-validation")
    parser.add_argument("--site", metavar="COL", help="column whose rows of one value stay in one split and one fold, such as the hospital")
    parser.add_argument(
        "--weights", metavar="COL", help="column of sampling weights, by which results are judged (training does not use them); '' leaves a guessed one out"
    )


def run(args: argparse.Namespace) -> int:
    from core.api.cohorts import ingest_cohort

    if args.size is not None and not 8 <= args.size <= 1024:
        raise UserError(f"--size {args.size}: use 8 to 1024 pixels")
    folder = _folder_layout(args)
    if folder is not None:
        return folder
    roles, name, reasons = _roles(args)
    try:
        found = ingest_cohort(
            args.table, args.images, roles=roles, name=args.name or name, strict=args.strict, size=args.size, seed=args.seed,
            sheet=args.sheet, encoding=args.encoding, join=args.join, reasons=reasons, workspace=args.workspace, progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        progress("no cohort was saved; the same command goes on where this one stopped")
        raise
    return report_cohort(args, found.cohort)


def _folder_layout(args: argparse.Namespace) -> int | None:
    """FairVision and FairVLMed, which are folders of files, by `--layout` or by themselves; None for tables."""
    from core.cohort.fairvision import ingest_fairvision, ingest_fairvlmed, recognised_folder
    from core.cohort.layouts import FOLDERS
    from core.workspace import Workspace

    found = recognised_folder(args.table)
    if found is None or (args.layout is not None and args.layout not in FOLDERS):
        return None
    layout, root, disease = found
    if args.layout not in (None, layout):
        raise UserError(f"--layout {args.layout}: {args.table} has the layout of {layout}")
    if args.label or args.positive or args.manifest or args.attribute or args.image or args.volume or args.text or args.tabular:
        raise UserError(f"{args.table}: the roles of {layout} are known; only --name, --size and --strict can be given")
    more = {"name": args.name, "size": args.size, "strict": args.strict, "progress": progress}
    workspace = Workspace.open(args.workspace)
    cohort = ingest_fairvlmed(workspace, root, **more) if disease is None else ingest_fairvision(workspace, root, disease, **more)
    return report_cohort(args, cohort)


def report_cohort(args: argparse.Namespace, cohort: Cohort) -> int:
    """Print a saved cohort in words or as JSON."""
    from core.api.cohorts import CohortResult

    if args.json:
        emit(CohortResult(cohort).to_dict())
    else:
        print_cohort(cohort)
    return 0


def _roles(args: argparse.Namespace) -> tuple[Roles | None, str | None, dict[str, str] | None]:
    """Roles from the flags, on top of the manifest where one is given, with the reasons; None when nothing is given."""
    from dataclasses import replace

    from core.cohort.classes import any_but_first
    from core.cohort.guess import guess_roles
    from core.cohort.preparation import prepared
    from core.cohort.sources import open_source
    from core.cohort.table_sets import choose_table, files_beside
    from core.tables import read
    from core.tables.join import join_files

    modalities = [_modality(kind, text) for kind in ("image", "volume", "text", "tabular") for text in getattr(args, kind)]
    if args.manifest:
        return *_on_manifest(args, modalities), None
    flags = (
        args.id, args.patient, args.label, args.positive, args.classes, args.uncertain, args.blank, args.split, args.attribute, modalities,
        args.drop, args.merge, args.bins, args.layout, args.cross, args.folds, args.fold, args.site, args.weights,
    )  # fmt: skip
    if not any(f not in (None, [], ()) for f in flags):
        return None, None, None
    chosen = choose_table(args.table)
    source = open_source(args.images or files_beside(args.table))
    joined = join_files(read(chosen.table, sheet=args.sheet, encoding=args.encoding), args.join or chosen.join)
    frame = prepared(joined.table.frame, args.merge, args.bins, source, args.cross)
    classes = _named_classes(args, frame, args.label)
    guess = guess_roles(
        frame, source, label=args.label, positive=any_but_first(classes) if classes else args.positive,
        uncertain=args.uncertain or "exclude", blank=args.blank or "exclude", sample_id=args.id,
        patient_id=args.patient or joined.stacked_by, split=args.split, attributes=args.attribute, modalities=modalities,
        dropped=args.drop, layout=args.layout, fold=args.fold, site=args.site, weights=args.weights or None,
    )  # fmt: skip
    return (
        replace(
            guess.roles,
            merge=tuple(args.merge),
            bins=tuple(args.bins),
            classes=classes,
            cross=tuple(args.cross),
            folds=_folds(args),
            weights=None if args.weights == "" else guess.roles.weights,
        ),
        None,
        guess.reasons,
    )


def _listed(text: str) -> tuple[str, ...]:
    from core.cli.audit import names

    return names([text])


def _folds(args: argparse.Namespace) -> int:
    """How many folds are asked for, 0 for none. Raises UserError."""
    from core.cohort.folds import check_number

    if args.folds is None:
        return 0
    check_number(args.folds)
    return int(args.folds)


def _named_classes(args: argparse.Namespace, frame: Any, label: str | None) -> tuple[str, ...]:
    """The classes that --classes names, empty where it is not given."""
    from core.cohort.classes import parse_classes
    from core.tables.labels import distinct

    if args.classes is None:
        return ()
    if label is None or args.positive is not None:
        raise UserError("--classes needs --label, and no --positive: every class but the first counts as positive")
    if label not in frame.columns:
        raise UserError(f"column {label!r} is not in the table; it has: {', '.join(frame.columns)}")
    return parse_classes(args.classes, distinct(frame[label].unique()), label)


def _on_manifest(args: argparse.Namespace, modalities: list[Modality]) -> tuple[Roles, str | None]:
    """The manifest's roles, those that flags name replaced."""
    from dataclasses import replace

    from core.cohort.manifest import read_manifest
    from core.cohort.schema import Modality

    if args.classes is not None:
        raise UserError('--classes does not go with --manifest: write classes = ["none", "mild", "severe"] into the manifest')
    roles, name = read_manifest(Path(args.manifest))
    names = {m.name for m in modalities}
    drop = set(args.drop)
    kept = [Modality(m.name, m.kind, tuple(c for c in m.columns if c not in drop)) for m in roles.modalities if m.name not in names]
    return replace(
        roles,
        sample_id=args.id or roles.sample_id,
        patient_id=args.patient or roles.patient_id,
        label=args.label or roles.label,
        positive=args.positive or roles.positive,
        uncertain=args.uncertain or roles.uncertain,
        blank=args.blank or roles.blank,
        split=roles.split if args.split is None else args.split or None,
        attributes=tuple(args.attribute) or roles.attributes,
        modalities=(*(m for m in kept if m.columns), *modalities),
        dropped=(*roles.dropped, *(c for c in args.drop if c not in roles.dropped)),
        merge=(*roles.merge, *args.merge),
        bins=(*roles.bins, *args.bins),
        cross=(*roles.cross, *args.cross),
        folds=_folds(args) or (0 if args.fold else roles.folds),
        fold=args.fold or (None if args.folds else roles.fold),
        site=args.site or roles.site,
        weights=roles.weights if args.weights is None else args.weights or None,
    ), name


def _modality(kind: str, text: str) -> Any:
    from core.cohort.schema import Modality

    name, sign, columns = text.partition("=")
    names = tuple(c.strip() for c in columns.split(",") if c.strip()) if kind in ("tabular", "text") else (columns.strip(),)
    if not sign or not name.strip() or not names or not names[0]:
        raise UserError(f"--{kind} {text}: write NAME=COLUMN, for example --{kind} {'labs=age,bmi' if kind == 'tabular' else f'{kind}=path'}")
    return Modality(name.strip(), kind, names)  # type: ignore[arg-type]


def _classes(cohort: Cohort) -> str:
    """How many samples of each class, where there are more than two."""
    if not cohort.classes:
        return ""
    return "; classes: " + ", ".join(f"{name} {int((cohort.y == k).sum())}" for k, name in enumerate(cohort.classes))


def print_cohort(cohort: Cohort) -> None:
    """The cohort in words, for people."""
    print(f"{cohort.name} ({cohort.cohort_id}): {cohort.n} samples of {cohort.n_patients} patients, {int(cohort.positive.sum())} positive{_classes(cohort)}")
    print("modalities: " + ", ".join(f"{m.name} ({m.kind})" for m in cohort.roles.modalities) + f"; attributes: {', '.join(cohort.roles.attributes) or 'none'}")
    if cohort.n_folds:
        locked = int((cohort.fold < 0).sum())
        print(
            f"folds: {cohort.n_folds}, {', '.join(str(int((cohort.fold == k).sum())) for k in range(cohort.n_folds))} samples"
            + (f"; {locked} samples of the test set stay locked" if locked else "")
        )
    print("columns:")
    width = min(32, max((len(c["column"]) for c in cohort.columns), default=0))
    for column in cohort.columns:
        print(f"  {column['column']:<{width}}  {column['role']}: {column['why']}")
    for finding in cohort.findings:
        print(f"{finding.severity:>7}  {finding.code}: {finding.message}\n{'':9}{finding.remedy}")
    if not cohort.findings:
        print("all checks passed")
