"""Does the audit keep its promises? Coverage, size, verdicts on null cohorts, power at the promised gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.study.audit_coverage import coverage
from core.study.audit_promises import Line
from core.study.audit_size import size_of_paired, size_of_tests
from core.study.audit_verdicts import verdicts_after_more_patients, verdicts_at_promised_gap, verdicts_under_null


def simulate(seed: int = 0, repetitions: int = 2000, cohorts_audited: int = 1000, progress: Callable[[str], None] = lambda message: None) -> tuple[Line, ...]:
    """Everything. `repetitions` for estimates and paired tests, `cohorts_audited` for whole audits."""
    parts: list[tuple[str, Callable[[np.random.Generator], list[Line]]]] = [
        ("coverage", lambda rng: coverage(rng, repetitions)),
        ("size of tests", lambda rng: size_of_tests(rng, cohorts_audited, progress)),
        ("two models", lambda rng: size_of_paired(rng, repetitions)),
        ("null cohorts", lambda rng: verdicts_under_null(rng, cohorts_audited, progress)),
        ("planted gaps", lambda rng: verdicts_at_promised_gap(rng, 2 * cohorts_audited, progress)),
        ("more patients", lambda rng: verdicts_after_more_patients(rng, cohorts_audited, progress)),
    ]
    streams = np.random.SeedSequence(seed).spawn(len(parts))
    found: list[Line] = []
    for (name, part), stream in zip(parts, streams, strict=True):
        progress(name)
        found += part(np.random.default_rng(stream))
    return tuple(found)
