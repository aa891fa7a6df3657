"""Train the finished runs that ship with the sample: `python -m tests.ship_sample_runs [--workspace DIR]`.

Run it after a change of the methods, the network or the training loop, and commit what it writes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile

from core.cohort.sample import ingest_sample
from core.runs import find, plan, submit
from core.runs.sample_runs import ship, shipped_folder
from core.runs.wait import wait
from core.workspace import Workspace

METHODS = ("unimodal", "erm", "multifair", "multifair-plus")
ATTRIBUTE = "sex"
SEEDS = (1, 2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", help="where to train (default: a temporary folder)")
    chosen = parser.parse_args().workspace
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace.open(chosen or temporary)
        cohort = ingest_sample(workspace)
        handles = submit(workspace, plan(cohort, METHODS, ATTRIBUTE, SEEDS, "quick"))
        wait(workspace, [h.run_id for h in handles], lambda line: print(line, file=sys.stderr))
        shutil.rmtree(shipped_folder(), ignore_errors=True)
        for handle in handles:
            ship(find(workspace, handle.run_id), shipped_folder())
    return 0


if __name__ == "__main__":
    sys.exit(main())
