"""What bringing a cohort in costs; run `python -m tests.benchmarks.bench_intake WHAT [--n N] [--folder DIR]`.

1. files: N patients with two pictures of 200 x 200 and a volume of 10 slices: ingestion over bare decoding of the same files (limit 1.3).
2. rows: N rows without pictures: reading, roles and checks, as the page's preview makes them (limits 30 s and 2 GB).
3. resume: ingestion of the cohort of `files` killed half way and begun again: the same bytes as without the kill.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

PIXELS, SLICES, KEPT = 200, 10, 128


def make_files(folder: Path, patients: int) -> Path:
    """Smooth noise as JPEG and as compressed NPZ, which cost what photographs and scans cost; made once per folder."""
    table = folder / "cohort.csv"
    if table.exists():
        return table
    (folder / "files").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(patients):
        row = {"patient_id": f"P{number:05d}", "sex": "FM"[number % 2], "age": 20 + number % 70, "label": int(rng.random() < 0.3)}
        for name in ("left", "right"):
            small = Image.fromarray(rng.integers(0, 255, (25, 25, 3), dtype=np.uint8))
            row[name] = f"files/{number:05d}_{name}.jpg"
            small.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC).save(folder / str(row[name]), quality=90)
        stack = np.stack([np.asarray(Image.fromarray(p).resize((PIXELS, PIXELS))) for p in rng.integers(0, 255, (SLICES, 25, 25), dtype=np.uint8)])
        row["scan"] = f"files/{number:05d}.npz"
        np.savez_compressed(folder / str(row["scan"]), scan=stack)
        rows.append(row)
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def decode(path: Path) -> None:
    """One file as whoever needs its pixels at the kept size would read it, by the same libraries: Pillow and NumPy."""
    if path.suffix == ".npz":
        stack = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)["scan"]
        np.stack([np.asarray(Image.fromarray(plane).resize((KEPT, KEPT), Image.Resampling.LANCZOS)) for plane in stack])
        return
    with Image.open(path) as image:
        np.asarray(image.convert("RGB").resize((KEPT, KEPT), Image.Resampling.LANCZOS))


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that passed, and seconds of the processor."""
    begun, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - spent


def files(folder: Path, patients: int) -> dict[str, float]:
    """Ingestion over bare decoding: by the clock beside as many threads, and by the processor beside one."""
    from core.cohort.ingest import ingest
    from core.workspace import Workspace

    table = make_files(folder, patients)
    paths = sorted((folder / "files").iterdir())
    few = folder / "few"
    ingest(Workspace.open(folder / "home-few"), make_files(few, 20))

    def threads() -> None:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(decode, paths))

    bare_clock, bare_spent = measured(threads)
    clock, spent = measured(lambda: ingest(Workspace.open(folder / f"home-{os.getpid()}"), table, size=KEPT))
    return {
        "patients": patients,
        "bare_seconds": bare_clock,
        "ingest_seconds": clock,
        "ratio_clock": clock / bare_clock,
        "bare_processor": bare_spent,
        "ingest_processor": spent,
        "ratio_processor": spent / bare_spent,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def make_rows(path: Path, n: int) -> Path:
    """A table of visits: ids, groups, numbers, words and a label."""
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    pd.DataFrame(
        {
            "patient_id": [f"P{i // 2:07d}" for i in range(n)],
            "visit": np.arange(n) % 2 + 1,
            "sex": rng.choice(["female", "male", "unknown"], n, p=[0.5, 0.48, 0.02]),
            "race": rng.choice(["White", "Black", "Asian", "Other"], n),
            "age": rng.integers(18, 95, n),
            "hospital": rng.choice([f"H{i}" for i in range(12)], n),
            "crp": np.where(rng.random(n) < 0.02, "<5", rng.normal(40, 12, n).round(1).astype(str)),
            **{f"lab{i}": rng.normal(0, 1, n).round(3) for i in range(8)},
            "smoker": rng.choice(["yes", "no"], n),
            "label": (rng.random(n) < 0.2).astype(int),
        }
    ).to_csv(path, index=False)
    return path


def rows(folder: Path, n: int) -> dict[str, float]:
    """What the page does with a table before it is saved."""
    from core.cohort.checks import check
    from core.cohort.guess import guess_roles
    from core.cohort.preparation import prepared, prepared_for
    from core.cohort.sources import open_source
    from core.tables import read

    folder.mkdir(parents=True, exist_ok=True)
    path = make_rows(folder / "rows.csv", n)
    found: dict[str, float] = {"rows": n}

    def preview() -> None:
        source = open_source(folder)
        found["reading"], table = timed(lambda: read(path).frame)
        found["preparing"], table = timed(lambda: prepared(table, source=source))
        found["roles"], guess = timed(lambda: guess_roles(table, source))
        found["checks"], _ = timed(lambda: check(prepared_for(table, guess.roles, source), guess.roles))

    found["seconds"], found["processor_seconds"] = measured(preview)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds that passed, and what came of it."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


COMMAND = """
import sys
from core.cohort.ingest import ingest
from core.workspace import Workspace
ingest(Workspace.open(sys.argv[1]), sys.argv[2])
"""


def resume(folder: Path, patients: int) -> dict[str, object]:
    """Kill an ingestion half way, begin it again, and set its bytes against those of one that was let be."""
    table = make_files(folder, patients)
    whole, torn = folder / "home-whole", folder / "home-torn"
    run = [sys.executable, "-c", COMMAND]
    subprocess.run([*run, str(whole), str(table)], check=True)
    process = subprocess.Popen([*run, str(torn), str(table)])
    half = len(pd.read_csv(table)) // 2
    while process.poll() is None and decoded(torn) < half:
        time.sleep(0.02)
    killed_at = decoded(torn)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [p.name for p in (torn / "cohorts").iterdir() if p.name.startswith(".building")]
    seconds, _ = timed(lambda: subprocess.run([*run, str(torn), str(table)], check=True))
    first, second = contents(whole), contents(torn)
    return {
        "patients": patients, "killed_after_rows_of_a_modality": killed_at, "unfinished": left, "resumed_seconds": seconds,
        "files": len(first), "same": first == second, "differ": sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k)),
    }  # fmt: skip


def decoded(home: Path) -> int:
    """Rows that are marked as decoded in an unfinished ingestion."""
    marks = list(home.glob("cohorts/.building-*/arrays/*.done.npy"))
    try:
        return max((int(np.load(m, allow_pickle=False).sum()) for m in marks), default=0)
    except (OSError, ValueError, EOFError):
        return 0


def contents(home: Path) -> dict[str, str]:
    """Each file of the saved cohort as a hash; when it was made is no part of it."""
    (cohort,) = [p for p in (home / "cohorts").iterdir() if p.is_dir() and not p.name.startswith(".")]
    found = {}
    for path in sorted(p for p in cohort.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.name == "manifest.json":
            data = json.dumps({k: v for k, v in json.loads(data).items() if k != "created"}, sort_keys=True).encode()
        found[path.relative_to(cohort).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


def main() -> None:
    """Print what was measured as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("files", "rows", "resume"))
    parser.add_argument("--n", type=int, help="patients (10,000) or rows (1,000,000)")
    parser.add_argument("--folder", type=Path, required=True, help="where files are made and cohorts are kept")
    args = parser.parse_args()
    work, usual = {"files": (files, 10_000), "rows": (rows, 1_000_000), "resume": (resume, 2_000)}[args.what]
    found = work(args.folder, args.n or usual)
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}, indent=1))


if __name__ == "__main__":
    main()
