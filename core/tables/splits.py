"""Words and numbers by which tables say which rows are for training, validation and test."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLITS = ("train", "validation", "test")
WORDS = {
    "train": "train", "training": "train", "tr": "train", "trn": "train", "fit": "train", "development": "train", "derivation": "train", "discovery": "train",
    "learn": "train",
    "validation": "validation", "validate": "validation", "validating": "validation", "valid": "validation", "val": "validation", "va": "validation",
    "vld": "validation", "dev": "validation", "tune": "validation",
    "tuning": "validation",
    "test": "test", "testing": "test", "te": "test", "tst": "test", "holdout": "test", "hold-out": "test", "held-out": "test", "heldout": "test",
    "external": "test",
    "external validation": "test", "external test": "test",
    "eval": "validation", "evaluation": "validation", "early stopping": "validation", "hold out": "test", "held out": "test", "learning": "train",
    "trainval": "train", "train+val": "train", "train val": "train", "train/val": "train", "inference": "test", "scoring": "test",
    "internal": "train", "external set": "test", "temporal validation": "test", "final test": "test", "blind test": "test", "locked test": "test",
    "private test": "test",
    "trainieren": "train", "lernen": "train", "trainingsdaten": "train", "validierung": "validation", "validieren": "validation", "testen": "test",
    "prüfung": "test",
    "apprentissage": "train", "entraînement": "train", "entrainement": "train", "essai": "test", "entrenamiento": "train", "validación": "validation",
    "validacion": "validation", "prueba": "test", "treino": "train", "treinamento": "train", "validação": "validation", "validacao": "validation",
    "teste": "test",
    "addestramento": "train", "convalida": "validation", "validazione": "validation", "prova": "test", "обучение": "train", "обучающая": "train",
    "валидация": "validation", "тест": "test", "тестовая": "test", "训练": "train", "训练集": "train", "验证": "validation",
    "验证集": "validation", "测试": "test",
    "测试集": "test",
    "訓練": "train", "学習": "train", "検証": "validation", "テスト": "test", "학습": "train", "훈련": "train", "검증": "validation", "테스트": "test",
    "tanító": "train", "tanuló": "train", "teszt": "test", "validáló": "validation", "érvényesítő": "validation", "trénovací": "train", "testovací": "test",
    "validační": "validation", "treningowy": "train", "uczący": "train", "testowy": "test", "walidacyjny": "validation", "trening": "train", "träning": "train",
    "validering": "validation", "koulutus": "train", "harjoitus": "train", "testi": "test", "validointi": "validation", "eğitim": "train", "egitim": "train",
    "doğrulama": "validation", "opleiding": "train", "validatie": "validation", "antrenare": "train", "testare": "test", "validare": "validation",
    "pelatihan": "train", "latih": "train", "uji": "test", "validasi": "validation", "huấn luyện": "train", "kiểm tra": "test", "тренировочная": "train",
    "трейн": "train", "вал": "validation", "валидационная": "validation", "训练组": "train", "验证组": "validation", "测试组": "test",
    "calibration": "validation",
    "trainset": "train", "train set": "train", "testset": "test", "test set": "test", "validation set": "validation", "valset": "validation",
    "val set": "validation",
}  # fmt: skip
"""Lower case -> split."""
MOST_FOLDS = 20


TEST_FLAGS = frozenset({"is_test", "istest", "in_test", "test", "test_set", "testset", "is_holdout", "holdout", "held_out"})
TRAIN_FLAGS = frozenset({"is_train", "istrain", "in_train", "train", "train_set", "training", "is_training"})
_TRUE, _FALSE = frozenset({"1", "1.0", "true", "yes", "y", "t"}), frozenset({"0", "0.0", "false", "no", "n", "f"})


def split_word(value: object, column: str = "") -> str | None:
    """`train`, `validation` or `test` for a word that means it, None for any other.

    In a column called `is_test` or `is_train` yes and no mean it as well.
    """
    text, name = str(value).strip().lower(), re.sub(r"[^a-z]+", "_", column.lower()).strip("_")
    if text in _TRUE | _FALSE and name in TEST_FLAGS | TRAIN_FLAGS:
        return "test" if (text in _TRUE) == (name in TEST_FLAGS) else "train"
    return _meant(re.sub(r"[\s_]+", " ", str(value).strip().lower()))


_SETS = re.compile(r"[ -]*(sets?|data|dataset|split|cohort|group|subset|samples?|cases|patients|partition|part|выборка|集|组|組)$")
_NUMBERED = re.compile(r"(?<=[^\W\d])[ -]?\d{1,2}$")
_WHICH = "internal|external|public|private|temporal|independent|final|official"
_WHICH_TEST = re.compile(rf"^({_WHICH})[ -]|[ -]({_WHICH})$")


def _bare(word: str) -> str:
    """A word without what it is a set of (`training data`) and the number behind it (`train 1`)."""
    return _NUMBERED.sub("", _SETS.sub("", word)).strip()


def _meant(word: str) -> str | None:
    """A split word, also as the name of a set or of a certain test set."""
    if word in WORDS:
        return WORDS[word]
    bare = _bare(word)
    if bare in WORDS:
        return WORDS[bare]
    parts = {WORDS.get(part.strip()) for part in re.split(r"[/+&]", bare)}
    if WORDS.get(_WHICH_TEST.sub("", bare)) == "test":
        return "test"
    return "train" if len(parts) > 1 and parts == {"train", "validation"} else None


def split_meanings(values: Iterable[object], column: str = "") -> dict[str, str | None]:
    """Each distinct value as the split that it means among the others.

    `eval` is the test set where no other value is, and so is the validation of what was developed or derived; `internal` is training beside
    `external` only.
    """
    meant = {str(value): split_word(value, column) for value in values}
    plain = {text: re.sub(r"[\s_]+", " ", text.strip().lower()) for text in meant}
    if "test" not in meant.values():
        meant |= {text: "test" for text, word in plain.items() if word in ("eval", "evaluation") and "train" in meant.values()}
    trained = {_bare(word) for text, word in plain.items() if meant[text] == "train"}
    if "test" not in meant.values() and trained and trained <= {"development", "derivation", "discovery"}:
        # A model is developed and validated: what is called validation then is the test.
        meant |= {text: "test" for text, word in plain.items() if _bare(word) in ("validation", "replication")}
    if not any(word.startswith("external") for word in plain.values()):
        meant |= {text: None for text, word in plain.items() if word == "internal"}
    return meant


def are_splits(values: Iterable[object], column: str = "") -> bool:
    """Whether the distinct values are split words that include training and test."""
    meant = set(split_meanings(values, column).values())
    return None not in meant and {"train", "test"} <= meant


def fold_number(value: object) -> int | None:
    """The number of a cross-validation fold (`3`, `fold 3`, `3.0`), None for anything else."""
    match = re.fullmatch(r"(?:fold|split|cv)?[\s_-]*(\d{1,2})(?:\.0)?", str(value).strip().lower())
    return int(match[1]) if match else None


def folds(values: Iterable[object]) -> list[int] | None:
    """The numbers of cross-validation folds, in order: two to twenty consecutive whole numbers from 0 or 1; None for anything else."""
    numbers = {fold_number(value) for value in values}
    if None in numbers:
        return None
    ordered = sorted(n for n in numbers if n is not None)
    if not 2 <= len(ordered) <= MOST_FOLDS or ordered[0] not in (0, 1) or ordered != list(range(ordered[0], ordered[0] + len(ordered))):
        return None
    return ordered
