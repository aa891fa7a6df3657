"""Every check: it fires where it must, and stays silent on a table without that fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.cohort.checks import CHECKS, CheckInput, CheckResult, SetAside, check
from core.cohort.schema import Modality
from tests.cohort.helpers import plain_columns, roles, text_table

BY_CODE = {c.code: c for c in CHECKS}


def result(code: str, changes: dict[str, list[Any]] | None = None, *, n: int = 200, role_changes: dict[str, Any] | None = None, **known: Any) -> CheckResult:
    table = text_table(plain_columns(n) | (changes or {}))
    return BY_CODE[code].run(CheckInput(table, roles(**(role_changes or {})), **known))


def labels(n: int = 200) -> np.ndarray:
    return np.array(plain_columns(n)["label"])


def test_codes_are_unique_and_every_check_says_what_to_do():
    assert len(BY_CODE) == len(CHECKS)
    assert all(c.title and c.remedy and c.severity in ("error", "warning", "info") for c in CHECKS)


def test_a_table_without_faults_has_only_information():
    found = check(text_table(plain_columns()), roles())
    assert [f.code for f in found] == ["attribute-kept-out"]


def fires(code: str, **arguments: Any) -> None:
    outcome = result(code, **arguments)
    assert outcome.outcome == "failed"
    assert all(f.code == code and f.rows > 0 and f.message and f.remedy for f in outcome.findings)


N = 200
Y = labels()
ROW = np.arange(N)
WITHOUT_LABEL = [None if i < 3 else v for i, v in enumerate(Y.tolist())]
SPLIT = np.array(["train"] * 120 + ["validation"] * 40 + ["test"] * 40, dtype=object)
UNEVEN = np.where(Y == 1, "train", np.where(ROW % 2 == 0, "validation", "test")).astype(object)
GAP_BY_LABEL = [None if y == 0 and i % 2 == 0 else 16.0 + i % 5 for i, y in enumerate(Y.tolist())]
GAP_AT_RANDOM = [None if i % 4 == 0 else 16.0 + i % 5 for i in range(N)]
TINY = {"sex": ["other" if i < 6 else ("female", "male")[i % 2] for i in range(N)]}
PHOTO = {"modalities": (Modality("photo", "image", ("age",)),)}

FIRES: list[tuple[str, dict[str, Any]]] = [
    ("label-constant", {"changes": {"label": [0] * N}}),
    ("label-missing", {"changes": {"label": WITHOUT_LABEL}}),
    ("label-not-binary", {"changes": {"label": [i % 3 for i in range(N)]}}),
    ("label-uncertain", {"changes": {"label": [i % 3 - 1 for i in range(N)]}}),
    (
        "label-lists",
        {"changes": {"label": [("edema|effusion", "effusion", "edema|nodule")[i % 3] for i in range(N)]}, "role_changes": {"positive": "edema|effusion"}},
    ),
    ("duplicate-id", {"changes": {"id": ["s0", "s0", *[f"s{i}" for i in range(2, N)]]}}),
    ("patient-in-two-splits", {"split": ["train", "test"] * (N // 2)}),
    ("unusable-file", {"set_aside": [SetAside(3, "s3", "unusable-file", "file not found", "photo")]}),
    ("weight-unusable", {"changes": {"w": [None, -1, *[1.5] * (N - 2)]}, "role_changes": {"weights": "w"}}),
    ("label-leakage", {"changes": {"stage": Y.tolist()}}),
    ("label-leakage", {"changes": {"stage": (-Y + 0.001 * ROW).tolist()}}),
    ("label-leakage", {"changes": {"biopsy": [bool(y) or i % 3 == 0 for i, y in enumerate(Y)]}}),
    ("informative-missingness", {"changes": {"pressure": GAP_BY_LABEL}}),
    ("informative-missingness", {"changes": {"sex": [None if v is None else "female" for v in GAP_BY_LABEL]}}),
    ("modality-missingness", {"present": {"photo": np.array([v is not None for v in GAP_BY_LABEL])}}),
    ("duplicate-image", {"digests": {"photo": ["same" if i in (0, 9) else str(i) for i in range(N)]}}),
    ("blank-image", {"blank": {"photo": ROW == 5}}),
    ("dark-image", {"dark": {"photo": ROW == 5}}),
    ("split-not-used", {"changes": {"split": ["train" if i % 2 else "val" for i in range(N)]}}),
    ("split-not-used", {"changes": {"fold": [i % 5 for i in range(N)]}}),
    ("patient-sides", {"changes": {"patient": [f"P{i // 2}_{'LR'[i % 2]}" for i in range(N)]}}),
    ("unread-files", {"changes": {"scan": [f"{i}.mha" for i in range(N)]}}),
    ("attribute-as-feature", {"role_changes": {"modalities": (Modality("labs", "tabular", ("age", "sex")),)}}),
    ("id-as-feature", {"changes": {"visit_id": list(range(N))}, "role_changes": {"modalities": (Modality("labs", "tabular", ("visit_id",)),)}}),
    ("tiny-group", {"changes": TINY}),
    ("many-groups", {"changes": {"sex": [f"g{i % 25}" for i in range(N)]}}),
    ("constant-attribute", {"changes": {"sex": ["female"] * N}}),
    ("attribute-varies", {"changes": {"sex": ["female", "male"] * (N // 2)}}),
    ("attribute-missing", {"changes": {"sex": [None if i == 7 else "female" for i in range(N)]}}),
    ("split-imbalance", {"split": UNEVEN.tolist()}),
    ("no-patient-id", {"role_changes": {"patient_id": None}}),
    ("patient-ids-alike", {"changes": {"patient": [("0007", "7", "7.0", "8")[i % 4] for i in range(N)]}}),
    ("patient-ids-alike", {"changes": {"patient": [("P1", "p1")[i % 2] for i in range(N)]}}),
    ("patient-ids-similar", {"changes": {"patient": [f"P-{i // 2}" if i % 2 else f"p{i // 2}" for i in range(N)]}}),
    ("codes-beside-words", {"changes": {"sex": [("F", "M", "0", "1")[i % 4] for i in range(N)]}}),
    ("patient-from-path", {"changes": {"patient in Path": [f"patient{i // 2:05d}" for i in range(N)]}, "role_changes": {"patient_id": "patient in Path"}}),
    ("similar-groups", {"changes": {"sex": [("F", "f", "Female", "M")[i % 4] for i in range(N)]}}),
    ("unknown-as-group", {"changes": {"sex": [("F", "M", "declined")[i % 3] for i in range(N)]}}),
    ("spreadsheet-date", {"changes": {"sex": [("20-29", "Oct-19", "30-49")[i % 3] for i in range(N)]}}),
    ("read-as-number", {"changes": {"pressure": ["<5" if i % 4 == 0 else f"{16 + i % 15}" for i in range(N)]}}),
    ("not-numbers", {"changes": {"weight": [f"{50 + i % 40} {'kg' if i % 2 else 'lb'}" for i in range(N)]}}),
    ("few-patients", {"n": 40}),
    ("constant-column", {"changes": {"age": [50] * N}}),
    ("attribute-kept-out", {}),
]

SILENT: list[tuple[str, dict[str, Any]]] = [
    ("split-not-used", {}),
    ("split-not-used", {"changes": {"ward": [f"w{i % 7}" for i in range(N)]}}),
    ("patient-sides", {}),
    ("patient-sides", {"changes": {"patient": [f"P{i}_L" for i in range(N)]}}),
    ("label-constant", {}),
    ("label-missing", {}),
    ("label-not-binary", {}),
    # Minus one beside one alone is a coding of two classes, not a doubt.
    ("label-uncertain", {"changes": {"label": [2 * (i % 2) - 1 for i in range(N)]}}),
    ("label-lists", {}),
    ("duplicate-id", {}),
    ("patient-in-two-splits", {"split": SPLIT.tolist()}),
    ("unusable-file", {"set_aside": [SetAside(3, "s3", "label-missing", "no label")]}),
    ("weight-unusable", {"changes": {"w": [0, *[1.5] * (N - 1)]}, "role_changes": {"weights": "w"}}),
    ("label-leakage", {}),
    # One value with one label only, but of so few rows that chance explains it.
    ("label-leakage", {"changes": {"rare": [("yes" if y == 1 and i < 12 else "no") for i, y in enumerate(Y)]}}),
    ("informative-missingness", {"changes": {"pressure": GAP_AT_RANDOM}}),
    ("modality-missingness", {"present": {"photo": ROW % 4 != 0}}),
    # The same patient may be pictured twice.
    ("duplicate-image", {"digests": {"photo": ["same" if i in (0, 1) else str(i) for i in range(N)]}}),
    ("duplicate-image", {"digests": {"photo": ["same" if i in (0, 9) else str(i) for i in range(N)]}, "blank": {"photo": (ROW == 0) | (ROW == 9)}}),
    ("blank-image", {"blank": {"photo": ROW < 0}}),
    ("dark-image", {"dark": {"photo": ROW < 0}}),
    ("unread-files", {"changes": {"scan": [f"{i}.png" for i in range(N)]}}),
    ("attribute-as-feature", {}),
    ("id-as-feature", {}),
    ("tiny-group", {}),
    ("many-groups", {}),
    ("constant-attribute", {}),
    ("attribute-varies", {}),
    ("attribute-missing", {}),
    ("split-imbalance", {"split": SPLIT.tolist()}),
    ("no-patient-id", {}),
    ("patient-ids-alike", {"changes": {"patient": [f"P{i // 2}" for i in range(N)]}}),
    ("patient-from-path", {}),
    ("patient-ids-similar", {"changes": {"patient": [f"P{i // 2:03d}" for i in range(N)]}}),
    ("codes-beside-words", {"changes": {"sex": [("0", "1", "2")[i % 3] for i in range(N)]}}),
    ("codes-beside-words", {"changes": {"sex": [("I", "II", "3")[i % 3] for i in range(N)]}}),
    ("similar-groups", {}),
    ("unknown-as-group", {}),
    ("spreadsheet-date", {"changes": {"sex": [("10-19", "20-29")[i % 2] for i in range(N)]}}),
    ("read-as-number", {}),
    (
        "not-numbers",
        {
            "changes": {
                "site": [f"clinic {i % 3}" for i in range(N)],
                "visit": [f"2020-01-{1 + i % 28:02d}" for i in range(N)],
                "code": [f"A{i}" for i in range(N)],
            }
        },
    ),
    ("few-patients", {}),
    ("constant-column", {}),
    ("attribute-kept-out", {"role_changes": {"attributes": (), "modalities": (Modality("labs", "tabular", ("age", "sex")),)}}),
]


@pytest.mark.parametrize(("code", "arguments"), FIRES)
def test_fires(code: str, arguments: dict[str, Any]):
    fires(code, **arguments)


@pytest.mark.parametrize(("code", "arguments"), SILENT)
def test_does_not_fire(code: str, arguments: dict[str, Any]):
    assert result(code, **arguments).outcome != "failed"


def test_every_check_has_a_case_that_fires_and_one_that_does_not():
    assert {c for c, _ in FIRES} == {c for c, _ in SILENT} == set(BY_CODE)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("patient-in-two-splits", {}),
        ("split-imbalance", {}),
        ("duplicate-image", {}),
        ("blank-image", {}),
        ("dark-image", {}),
        ("modality-missingness", {}),
        ("tiny-group", {"role_changes": {"attributes": ()}}),
        ("attribute-varies", {"role_changes": {"patient_id": None}}),
        ("duplicate-id", {"role_changes": {"sample_id": None}}),
        ("weight-unusable", {}),
    ],
)
def test_says_why_it_does_not_apply(code: str, arguments: dict[str, Any]):
    outcome = result(code, **arguments)
    assert outcome.outcome == "not applicable"
    assert outcome.reason


def test_a_leaking_column_in_use_is_an_error_and_otherwise_a_warning():
    leaking = {"stage": Y.tolist()}
    used = {"modalities": (Modality("labs", "tabular", ("age", "stage")),)}
    assert [f.severity for f in result("label-leakage", leaking, role_changes=used).findings] == ["error"]
    assert [f.severity for f in result("label-leakage", leaking).findings] == ["warning"]


def test_columns_missing_together_are_one_finding_that_names_the_attribute():
    gap = [v is None for v in GAP_BY_LABEL]
    changes = {c: [None if g else v for g, v in zip(gap, plain_columns()[c], strict=True)] for c in ("sex", "age", "pressure")}
    (finding,) = result("informative-missingness", changes).findings
    assert finding.columns == ("sex", "age", "pressure")
    assert finding.rows == sum(gap)
    assert "every one of them negative" in finding.message
    assert "Sensitive attribute among them: sex" in finding.message


def test_findings_come_with_the_gravest_first():
    table = text_table(plain_columns() | {"id": ["s0"] * N, "stage": Y.tolist()})
    severities = [f.severity for f in check(table, roles())]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)


def test_matched_pairs_leak_nothing_in_any_order():
    # Case, control, case, control: what was matched, and what is random, does not predict the case.
    generator = np.random.default_rng(0)
    n = 150
    case = np.tile([1, 0], n)
    sex = np.repeat(generator.choice(["f", "m"], n), 2)
    smoking = generator.choice(["never", "former", "current"], 2 * n)
    for order in (np.arange(2 * n), np.argsort(case, kind="stable"), generator.permutation(2 * n)):
        table = text_table(
            {"id": range(2 * n), "pair_id": np.repeat(np.arange(n), 2)[order], "label": case[order], "sex": sex[order], "smoking": smoking[order]}
        )
        for matched in (table, table.drop(columns="pair_id")):
            found = BY_CODE["label-leakage"].run(CheckInput(matched, roles(patient_id=None, modalities=(Modality("labs", "tabular", ("smoking",)),))))
            assert found.outcome == "passed", found


def test_random_categories_rarely_look_like_leaks():
    # 300 columns of noise with up to 40 levels: not one may be quarantined.
    generator = np.random.default_rng(1)
    noise = {f"c{k}": [f"v{v}" for v in generator.integers(0, generator.integers(2, 40), N)] for k in range(300)}
    assert result("label-leakage", noise).outcome == "passed"
