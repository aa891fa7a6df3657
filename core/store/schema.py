"""Tables of the results cache. A changed schema gets a new version, and the cache is rebuilt."""

from __future__ import annotations

SCHEMA_VERSION = 5

TABLES = """
CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY, key VARCHAR, cohort_id VARCHAR, method VARCHAR, label VARCHAR, family VARCHAR,
    attribute VARCHAR, seed BIGINT, preset VARCHAR, status VARCHAR, reason VARCHAR,
    created TIMESTAMP, started TIMESTAMP, finished TIMESTAMP, seconds DOUBLE, device VARCHAR, settings VARCHAR,
    network VARCHAR, budget VARCHAR, epoch BIGINT, epochs BIGINT, seconds_left DOUBLE, attempt BIGINT, "order" DOUBLE, fold VARCHAR,
    alerts VARCHAR
);
CREATE TABLE sources (
    run_id VARCHAR PRIMARY KEY, status_fingerprint VARCHAR, journal_fingerprint VARCHAR, predictions_fingerprint VARCHAR,
    journal_head VARCHAR, journal_offset BIGINT, journal_skipped BIGINT, predictions_read BOOLEAN
);
CREATE TABLE epochs (
    run_id VARCHAR, epoch BIGINT, train_loss DOUBLE, validation_loss DOUBLE, validation_auc DOUBLE, seconds DOUBLE
);
CREATE TABLE telemetry (
    run_id VARCHAR, epoch BIGINT, name VARCHAR, modality VARCHAR, modality_b VARCHAR, group_name VARCHAR,
    group_b VARCHAR, stat VARCHAR, value DOUBLE, low DOUBLE, high DOUBLE, n BIGINT
);
CREATE TABLE alerts (
    run_id VARCHAR, epoch BIGINT, code VARCHAR, modality VARCHAR, group_name VARCHAR, value DOUBLE, n BIGINT, message VARCHAR
);
CREATE TABLE predictions (
    run_id VARCHAR, position INTEGER, sample_id VARCHAR, patient_id VARCHAR, split VARCHAR, y TINYINT, score DOUBLE, prediction TINYINT
);
CREATE TABLE cohorts (
    cohort_id VARCHAR PRIMARY KEY, name VARCHAR, n BIGINT, n_patients BIGINT, created TIMESTAMP,
    modalities VARCHAR, attributes VARCHAR
);
CREATE TABLE attributes (cohort_id VARCHAR, position INTEGER, sample_id VARCHAR, attribute VARCHAR, value VARCHAR);
CREATE TABLE cache (kind VARCHAR, key VARCHAR, payload VARCHAR, created TIMESTAMP, PRIMARY KEY (kind, key));
"""

RUN_TABLES = ("runs", "sources", "epochs", "telemetry", "alerts", "predictions")
"""Tables whose rows belong to one run and go when its folder goes."""
