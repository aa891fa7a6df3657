"""`multifair doctor`: what this installation is and what it could run on."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
from typing import Any

from core import __version__
from core.cli import common, emit
from core.versions import package_versions

PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "pillow",
    "duckdb",
    "altair",
    "streamlit",
    "vl-convert-python",
    "fairlearn",
    "typst",
    "transformers",
    "pydicom",
    "ray",
    "playwright",
)
OPTIONAL = frozenset({"typst", "transformers", "pydicom", "ray", "playwright"})
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="versions, device, memory, browser, state of the workspace",
        description="Say what is installed, which device and how much memory there is, whether a browser for the tests is found, and what the workspace holds.",
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    report: dict[str, Any] = {
        "multifair": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": versions(),
        "hardware": hardware(),
        "browser": browser(),
        "workspace": workspace_state(workspace),
    }
    report["problems"] = [*problems(report), *damage(workspace)]
    if args.json:
        emit(report)
        return 0
    print(f"multifair {__version__}, Python {report['python']}, {report['system']}")
    for key in ("hardware", "workspace"):
        print(f"{key}: " + ", ".join(f"{k} {v}" for k, v in report[key].items()))
    print("packages: " + ", ".join(f"{k} {v or 'missing'}" for k, v in report["packages"].items()))
    print(f"browser for tests: {report['browser'] or 'none found; browser tests are skipped (Debian: apt-get install chromium)'}")
    print("\n".join(f"problem: {p}" for p in report["problems"]) or "no problem found")
    return 0


def versions() -> dict[str, str | None]:
    """Installed version per package; None where it is not installed."""
    return package_versions(PACKAGES)


def hardware() -> dict[str, Any]:
    """Device that training would choose, cores, threads, and memory in GiB."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    # A container may own fewer cores than the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = f"cuda ({torch.cuda.get_device_name(0)})" if torch.cuda.is_available() else "cpu"
    return {
        "device": device,
        "cores": cores,
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory.total / 2**30, 1),
        "memory_free_gib": round(memory.available / 2**30, 1),
    }


def browser() -> str | None:
    """Path of a Chrome or Chromium, which the browser tests drive; None when there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def workspace_state(workspace: Any) -> dict[str, Any]:
    """Where it is, whether it can be written to and who may read it, how many cohorts and runs, sizes in GB."""
    from core.runs.disk_usage import disk_usage

    usage = disk_usage(workspace)
    runs = [f for f in workspace.entries(workspace.runs) if (f / "status.json").is_file()]
    cohorts = [f for f in workspace.entries(workspace.cohorts) if (f / "manifest.json").is_file()]
    return {
        "path": str(workspace.root),
        "writable": workspace.writable,
        "open_to_others": len(workspace.open_paths()),
        "cohorts": len(cohorts),
        "runs": len(runs),
        "disk_used_gb": round(usage.total / 1e9, 6),
        "in_trash_gb": round(usage.other.get("trash", 0) / 1e9, 6),
        "disk_free_gib": round(shutil.disk_usage(workspace.root).free / 2**30, 1),
    }


def damage(workspace: Any) -> list[str]:
    """Every file of the workspace that is not what it should be, with what to do."""
    from core.cohort_folders import damaged_cohorts
    from core.runs.folder import damaged, folders
    from core.runs.queue_settings import settings_problem

    found = [str(error) for error in [*damaged_cohorts(workspace), *damaged(workspace)]]
    for folder in folders(workspace):
        status = folder.read_status()
        if str(status["reason"] or "").startswith("damaged: "):
            found.append(f"run {folder.run_id} is {status['reason']}")
        elif status["status"] == "done" and not folder.has_predictions():
            found.append(f"run {folder.run_id} is damaged: predictions.parquet is missing or cut off; {folder.remedy()}")
    problem = settings_problem(workspace)
    return found if problem is None else [*found, problem]


def problems(report: dict[str, Any]) -> list[str]:
    """What would stop someone from working, each with a remedy."""
    found = [f"package {name} is missing: run make setup" for name, version in report["packages"].items() if version is None and name not in OPTIONAL]
    place = report["workspace"]
    if not place["writable"]:
        found.append(f"the workspace {place['path']} cannot be written to: its results can be read, but to train choose another with --workspace")
    if place["open_to_others"]:
        found.append(
            f"{place['open_to_others']} folders and files of the workspace are open to other accounts: "
            f"{shlex.join(['chmod', '-R', 'go=', place['path']])} closes them"
        )
    if place["disk_free_gib"] < 1:
        found.append(f"less than 1 GiB free at {place['path']}")
    if report["hardware"]["memory_free_gib"] < 1:
        found.append("less than 1 GiB of memory free")
    return found
