"""The promised size: 200 runs and 1,000,000 predictions. Run with -m slow.

Processor time is measured, so that a busy machine does not make the test fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from core.store import Store
from tests.factories import fake_workspace

RUNS, PATIENTS = 200, 5000


def seconds(work: Callable[[], Any], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return median(taken)


@pytest.mark.slow
def test_a_full_store_is_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = fake_workspace(tmp_path, runs=RUNS, patients=PATIENTS, unsettled=False)
    begun = time.process_time()
    with Store.open(fake.workspace) as store:
        measured = {"ingest": time.process_time() - begun}
        ids = list(fake.run_ids)
        measured |= {
            "refresh": seconds(store.refresh),
            "runs": seconds(store.runs),
            "predictions of a run's test split": seconds(lambda: store.predictions(ids[7], "test")),
            "telemetry of 8 runs, one name": seconds(lambda: store.telemetry(ids[:8], ["contribution.ratio"])),
            "epochs of all": seconds(lambda: store.epochs(ids)),
            "modality scores of a run": seconds(lambda: store.modality_scores(ids[7], "test")),
            "attribute": seconds(lambda: store.attributes(fake.cohort.cohort_id, "sex")),
        }
    with capsys.disabled():
        print("\n" + "\n".join(f"{name}: {value * 1000:.1f} ms" for name, value in measured.items()))
    assert measured.pop("ingest") < 30
    assert max(measured.values()) < 0.3, measured
