"""What columns of patients' tables are usually called, for guessing what each one is."""

from __future__ import annotations

import re

import pandas as pd

from core.tables.sex_words import COLUMNS
from core.tables.splits import MOST_FOLDS

PATIENT = (
    "patient_id", "patient", "patientid", "subject_id", "subject", "subjectid", "participant_id", "participant", "mrn", "pid", "case_id", "empi",
    "person_id", "pat_id",
    "patient_no", "patient_number", "patient_nr", "ptid", "eid", "anonymized_patient_id", "subjid", "usubjid", "study_subject_id", "patientennummer",
    "patienten_id", "patientenid", "patienten_nr", "patnr", "pat_nr", "fallnummer", "fall_id", "proband", "probanden_id",
    "probandennummer", "id_patient", "patient_identifier", "numero_patient", "paciente", "paciente_id", "id_paciente", "paziente", "id_paziente",
    "patientnummer", "pacjent", "пациент", "患者", "患者id", "患者编号", "病人id", "病历号", "환자번호",
)  # fmt: skip
SAMPLE = ("sample_id", "id", "image_id", "img_id", "study_id", "exam_id", "scan_id", "record_id", "uid", "filename", "file", "dicom_id", "isic_id", "id_code")
LABEL = (
    "label", "y", "target", "y_true", "truth", "true_label", "ground_truth", "groundtruth", "gt", "outcome", "class", "disease", "malignant", "glaucoma",
    "event", "death", "diagnosis",
    "diagnose", "diagnostico", "diagnóstico", "diagnosi", "diagnoza", "diagnóza", "diagnózis", "диагноз", "诊断", "诊断结果", "标签", "结局", "診断", "진단",
    "ergebnis", "zielgröße", "etiqueta", "étiquette", "rótulo", "desfecho", "esito",
    "diagnostic", "dx", "observed", "case", "mortality", "hospital_expire_flag", "diabetic_retinopathy", "benign_malignant",
)  # fmt: skip
SPLIT = ("split", "set", "use", "partition", "subset", "dataset", "data_split", "train_test", "train_val_test", "phase", "usage")
MODEL = ("model", "model_name", "method", "classifier", "algorithm")
SCORE = (
    "score",
    "prob",
    "probability",
    "y_score",
    "risk",
    "p",
    "pred_proba",
    "confidence",
    "logit",
    "proba",
    "p1",
    "prob_1",
    "probability_1",
    "y_prob",
    "y_proba",
    "phat",
    "p_hat",
)
PREDICTION = ("prediction", "predicted", "pred", "y_pred", "decision", "y_hat", "yhat", "predicted_label", "pred_label")
WEIGHTS = (
    "sample_weight", "sample_weights", "sampling_weight", "sampling_weights", "survey_weight", "survey_weights", "design_weight", "design_weights", "weights",
)  # fmt: skip
"""Sampling weights; a column named `weight` alone is as likely a patient's body weight."""
MATCHED = (
    "matched_set", "match_id", "matched_id", "matchid", "pair_id", "pair", "pairid", "matched_pair", "stratum", "strata", "riskset", "risk_set", "set_id",
    "setid", "matching_group",
    "match_set", "match_group", "paar", "paar_nr", "paar_id", "paarnummer", "matching_set", "matching_nr", "match_no", "matchset", "paire", "apparie",
    "pareja", "par", "coppia", "配对", "配对号", "quadruple", "matched_no", "case_control_pair", "matched_group", "match", "matching_id", "caseset", "case_set",
    "case_control_set", "triplet", "triplet_id",
)  # fmt: skip
"""Columns that say which rows were matched to each other."""
SENSITIVE = frozenset(
    {
        *("sex", "gender", "race", "ethnicity", "ethnic", "hispanic", "fitzpatrick", "fitspatrick", "nationality"),
        *("language", "religion", "insurance", "marital", "maritalstatus", "disability", "income", "education", "deprivation"),
        *("skin", "skintype", "skintone", "skincolor", "ageband", "agegroup", "agebin", "agecat"),
        *COLUMNS,
        *("ethnie", "raza", "raça", "rasse", "etnia", "razza", "ethnizität", "herkunft", "bildung", "versicherung", "民族", "种族", "人種", "인종"),
    }
)
FILE_FACTS = frozenset(["width", "height", "filename", "filesize", "license", "licence", "url", "source", "camera", "device", "md5", "sha256", "checksum"])


def tidy(column: str) -> str:
    """`Patient ID`, `patientId` and `patient-id` as `patient_id`."""
    return re.sub(r"[^\w]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower()).strip("_")


def words_of(column: str) -> set[str]:
    """The words of a column's name, and the whole name as one."""
    name = tidy(column)
    return {w for w in name.split("_") if w} | {name}


_PERSONS = frozenset(
    {
        "patient", "patients", "subject", "subjects", "participant", "participants", "person", "proband", "paciente", "paziente", "patienten", "pacjent",
        "pacient", "mrn", "patientid", "subjectid", "páciens", "beteg", "hasta", "пациента", "患者", "病人", "환자",
    }
)  # fmt: skip
_IDENTIFYING = frozenset(
    {
        "id", "ids", "nr", "no", "num", "number", "code", "key", "hash", "identifier", "anon", "anonymised", "anonymized", "pseudo", "pseudonym", "uid", "deid",
        "deidentified", "azonosító", "mrn", "pseudonymised", "pseudonymized", "hashed", "encoded", "编号", "番号", "번호",
    }
)  # fmt: skip
REPEATED = (
    "id", "study_id", "studyid", "exam_id", "case", "case_no", "case_number", "record_id", "accession", "accession_number", "visit_id", "encounter_id",
    "hadm_id", "stay_id", "icustay_id", "series_id", "session_id", "specimen_id", "slide_id", "nodule_id",
)  # fmt: skip
"""Names of ids that are no patient's, but whose rows belong together where they repeat and nothing names patients."""


SHORT_PATIENT = (
    "pat", "pt", "subj", "sub", "sbj", "person", "individual", "individual_id", "iid", "volunteer", "volunteer_id", "member_id", "client_id", "nhs_number",
    "hn", "pt_id", "pt_no", "pseudo_id", "pseudonym", "person_no", "donor", "donor_id", "animal_id", "beteg", "betegazonosito", "betegazonosító", "hasta_no",
)  # fmt: skip
"""Names that are those of patients where the values are as different as patients are."""


def names_patient(column: str) -> bool:
    """Whether the name is one that the patient's column has: `Subject ID (anonymised)`, `anon_patient`; not `patient_sex` or `number_of_patients`."""
    words = words_of(column)
    return tidy(column) in PATIENT or bool(words & _PERSONS and words & _IDENTIFYING and not words & {"of", "per", "visits", "count"})


def names_identifier(column: str) -> bool:
    """Whether the name says that the column identifies something, or when it was."""
    return bool(
        words_of(column)
        & {"id", "ids", "uid", "identifier", "mrn", "accession", "key", "code", "date", "datetime", "time", "day", "birth", "dob", "phone", "zip", "postcode"}
    ) or column.lower().endswith("id")


def names_matched(column: str, values: pd.Series) -> bool:
    """Whether the column says which rows were matched to each other; a `set` of many values is no split."""
    return tidy(column) in MATCHED or (tidy(column) == "set" and values.nunique() > MOST_FOLDS)


AGES = frozenset({"age", "ages", "alter", "edad", "idade", "età", "eta", "leeftijd", "wiek", "возраст", "年龄", "年齢", "年齡", "나이"})
OTHER_AGES = frozenset({"days", "day", "weeks", "week", "months", "month", "tage", "wochen", "monate", "gestational", "bone"})


def names_age(column: str) -> bool:
    """Whether the name is that of an age in years; one of days, weeks or months is not."""
    return bool(words_of(column) & AGES) and not words_of(column) & OTHER_AGES


def names_sensitive(column: str) -> bool:
    """Whether the name is that of a sensitive attribute; "skin" only by itself, not in "skin cancer"."""
    joined = re.sub(r"[^a-z]", "", column.lower())
    return bool(words_of(column) & (SENSITIVE - {"skin"})) or joined in SENSITIVE
