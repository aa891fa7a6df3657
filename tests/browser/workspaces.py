"""Three workspaces that every page must look right on: `python -m tests.browser.workspaces --out FOLDER`.

`sample` is the cohort that ships, with its runs. `perfect` is a cohort of 300 patients whose two classes
are told apart without an error: ties everywhere, and nothing to divide by. `many` has twelve groups, five
modalities and 60 runs: everything that can be too long is. Each holds an audit as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from core.cohort.sample import ingest_sample
from core.runs.sample_runs import add_shipped_runs
from core.workspace import Workspace
from tests.factories import fake_workspace

CLINICS = {f"{name} clinic": share for name, share in zip(
    ("Aalborg", "Bergen", "Coimbra", "Dundee", "Exeter", "Freiburg", "Genoa", "Helsinki", "Innsbruck", "Jena", "Kraków", "Lille"),
    (20, 15, 12, 10, 9, 8, 7, 6, 5, 4, 3, 1), strict=True,
)}  # fmt: skip
BANDS = {"<40": 0.3, "40 to 60": 0.4, "over 60": 0.3}


def sample(root: Path) -> None:
    workspace = Workspace.open(root)
    ingest_sample(workspace, progress=lambda message: None)
    add_shipped_runs(workspace)


def perfect(root: Path) -> None:
    fake_workspace(
        root, patients=300, epochs=5, strengths=(40.0, 40.0), unsettled=False, pixels=16, seeds=3,
        attributes={"sex": {"female": 0.5, "male": 0.5}, "fitzpatrick": {"1": 0.3, "2": 0.4, "3": 0.3}, "age": BANDS},
    )  # fmt: skip


def many(root: Path) -> None:
    fake_workspace(
        root, runs=60, patients=3000, samples_per_patient=2, epochs=12, pixels=16, strengths=(1.6, 0.5),
        modalities={"dermoscopy": "image", "photograph": "image", "MRI": "volume", "referral letter": "text", "laboratory values": "tabular"},
        attributes={"clinic": CLINICS, "fitzpatrick": {str(i): 1 / 6 for i in range(1, 7)}, "age": BANDS},
    )  # fmt: skip


WORKSPACES: dict[str, Callable[[Path], None]] = {"sample": sample, "perfect": perfect, "many": many}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="one folder per workspace is made below it")
    parser.add_argument("--only", choices=tuple(WORKSPACES), nargs="+", default=tuple(WORKSPACES))
    args = parser.parse_args()
    for name in args.only:
        WORKSPACES[name](args.out / name)


if __name__ == "__main__":
    main()
