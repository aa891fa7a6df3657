"""Train the finished runs that ship with the sample: `python -m tests.ship_sample_runs [--workspace DIR]`.

Run it after a change of the methods, the network or the training loop, and commit what it writes.
After a change of a method's text that moves no number, `--rename` gives the runs that are there the keys
that their specifications have now.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile

import pandas as pd

from core.cohort import Cohort
from core.cohort.sample import ingest_sample
from core.json_reading import read_json
from core.runs import RunSpec, find, plan, submit
from core.runs.sample_runs import ship, shipped_folder, shipped_runs
from core.runs.wait import wait
from core.workspace import Workspace, write_json

METHODS = ("unimodal", "erm", "multifair", "multifair-plus")
ATTRIBUTE = "sex"
SEEDS = (1, 2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", help="where to train (default: a temporary folder)")
    parser.add_argument("--rename", action="store_true", help="train nothing: write the present keys into the runs that are there")
    args = parser.parse_args()
    if args.rename:
        return rename()
    chosen = args.workspace
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace.open(chosen or temporary)
        cohort = ingest_sample(workspace)
        handles = submit(workspace, plan(cohort, METHODS, ATTRIBUTE, SEEDS, "quick"))
        wait(workspace, [h.run_id for h in handles], lambda line: print(line, file=sys.stderr))
        shutil.rmtree(shipped_folder(), ignore_errors=True)
        for handle in handles:
            ship(find(workspace, handle.run_id), shipped_folder())
        example(cohort).to_csv(shipped_folder().parent / "predictions.csv", index=False)
    return 0


def example(cohort: Cohort) -> pd.DataFrame:
    """The Audit page's example: what the first training of two methods says of the test patients."""
    table = cohort.table[["sample_id", "patient_id", "y", "age_band", "fitzpatrick", "sex"]]
    found = table.rename(columns={"y": "malignant", "fitzpatrick": "skin_type"})
    for place, (method, column) in enumerate((("erm", "erm"), ("multifair-plus", "multifair_plus"))):
        [run] = [run for run in shipped_runs() if run.run_id.startswith(f"{method}-s1-")]
        predicted = pd.read_parquet(run.predictions)
        score = predicted[predicted["split"] == "test"].set_index("sample_id")["score"].astype("float64").round(4)
        found = found[found["sample_id"].isin(score.index)].copy()
        found.insert(3 + place, column, found["sample_id"].map(score))
    return found.reset_index(drop=True)


def rename() -> int:
    """Give every shipped run the key of its specification, in its folder's name and its spec.json."""
    for run in shipped_runs():
        spec = RunSpec.from_dict(read_json(run.spec_file)["spec"])
        write_json(run.spec_file, spec.describe())
        run.path.rename(run.path.with_name(spec.run_id))
    return 0


if __name__ == "__main__":
    sys.exit(main())
