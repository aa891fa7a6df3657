"""Words by which tables name the same group: sexes, races, yes and no, and what was not said.

Languages: those of `core.tables.sex_words`, as far as tables of patients use them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from functools import cache

from core.tables.plain_words import plain as plain
from core.tables.plain_words import repaired as repaired
from core.tables.sex_words import FEMALE_LETTERS, LANGUAGES, MALE_LETTERS

FEMALE = (*FEMALE_LETTERS, *(word for women, _, _, _ in LANGUAGES.values() for word in women))
MALE = (*MALE_LETTERS, *(word for _, men, _, _ in LANGUAGES.values() for word in men))
WHITE = (
    "white",
    "caucasian",
    "white or caucasian",
    "white/caucasian",
    "caucasian/white",
    "white caucasian",
    "european american",
    "blanc",
    "blanche",
    "blanco",
    "blanca",
    "weiß",
    "weiss",
    "weiße",
    "branco",
    "branca",
    "bianco",
    "wit",
    "biały",
    "white (caucasian)",
    "white non-hispanic",
    "non-hispanic white",
    "nhw",
)
BLACK = (
    "black",
    "black or african american",
    "black/african american",
    "african american",
    "afro-american",
    "black african american",
    "african-american/black",
    "black/aa",
    "aa",
    "afro american",
    "black american",
    "non-hispanic black",
    "black non-hispanic",
    "nhb",
    "negra",
    "preta",
    "schwarze",
    "noire",
    "schwarzer",
    "noir",
    "negro",
    "schwarz",
    "preto",
)
ASIAN = ("asian", "asian american", "asiatique", "asiático", "asiatisch", "asian/pacific", "oriental")
HISPANIC = (
    "hispanic",
    "hispanic or latino",
    "hispanic/latino",
    "latino",
    "latina",
    "latinx",
    "hispanic latino",
    "latino or hispanic",
    "hispanic or latino or spanish",
)
NOT_HISPANIC = ("not hispanic", "non-hispanic", "non hispanic", "not hispanic or latino", "non-hispanic/latino", "not hispanic/latino", "not hispanic latino")
NATIVE = ("american indian", "native american", "american indian or alaska native", "american indian/alaska native", "alaska native")
PACIFIC = ("pacific islander", "native hawaiian or other pacific islander", "native hawaiian", "native hawaiian/pacific islander")
OTHER = ("other", "others", "autre", "andere", "otro", "outro", "altro", "inny", "其他", "その他", "기타")
ANSWERS: tuple[tuple[str, str], ...] = (
    ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("absent", "present"), ("nein", "ja"), ("non", "oui"), ("no", "sí"), ("no", "si"), ("no", "sì"),
    ("não", "sim"), ("nao", "sim"), ("nee", "ja"), ("nej", "ja"), ("nei", "ja"), ("ei", "kyllä"), ("ei", "kylla"), ("ei", "jah"), ("nem", "igen"),
    ("ne", "ano"), ("nie", "áno"), ("nie", "tak"), ("ne", "da"), ("nu", "da"), ("nē", "jā"), ("ne", "taip"), ("нет", "да"), ("ні", "так"), ("не", "да"),
    ("hayır", "evet"), ("hayir", "evet"), ("yok", "var"), ("όχι", "ναι"), ("tidak", "ya"), ("không", "có"), ("hapana", "ndiyo"), ("नहीं", "हाँ"),
    ("خیر", "بله"), ("لا", "نعم"), ("לא", "כן"), ("ไม่ใช่", "ใช่"), ("ไม่", "ใช่"), ("否", "是"), ("无", "有"), ("無", "有"), ("いいえ", "はい"), ("なし", "あり"),
    ("아니오", "예"), ("없음", "있음"),
)  # fmt: skip
"""(no, yes) in many languages."""
YES = tuple(dict.fromkeys(yes for _, yes in ANSWERS))
NO = tuple(dict.fromkeys(no for no, _ in ANSWERS))
UNKNOWN = (
    "unknown", "unk", "u", "not known", "unknown/other", "other/unknown", "unknown/not specified", "not specified", "not reported", "unreported",
    "not recorded", "not stated", "not available",
    "not applicable", "not done", "not tested", "not performed", "not assessed", "not documented", "pending", "awaited", "n.a.", "n/a", "na", "nan", "null",
    "none", "missing", "declined", "patient declined to answer", "declined to answer", "declined to state", "refused",
    "patient refused", "prefer not to say", "prefer not to answer", "unable to obtain", "undisclosed", "not disclosed", "?", ".", "-", "--", "nk", "n.k.",
    "k.a.", "keine angabe", "unbekannt",
    "inconnu", "inconnue", "non renseigné", "desconocido", "desconocida", "no especificado", "desconhecido", "não informado", "sconosciuto", "onbekend",
    "nieznany", "неизвестно",
    "bilinmiyor", "未知", "不详", "不明", "未提供", "모름", "미상", "dk", "d/k", "nr", "n/r", "#n/a", "(blank)", "blank", "empty", "<na>", "unspecified",
    "undetermined", "indeterminate sex", "undefined", "ismeretlen", "nem ismert", "neznámé", "neuvedeno", "nespecifikováno", "okänd", "ej angivet", "ukjent",
    "ukendt", "tuntematon", "teadmata", "nezināms", "nežinoma", "necunoscut", "nepoznato", "неизвестен", "не указан", "не указано", "невідомо", "άγνωστο",
    "tidak diketahui", "không rõ", "ignorado", "sin datos", "sin información", "no consta", "non précisé", "non spécifié", "non noto", "ohne angabe",
    "nicht bekannt", "nicht angegeben", "keine daten", "niet bekend", "brak danych", "brak", "不知道", "拒绝回答", "回答なし", "無回答", "무응답", "غير معروف",
)  # fmt: skip
_SAY = r"(say|answer|disclose|state|respond|report|specify|tell|share|identify|self identify)"
_NOT_SAID = re.compile(
    rf"(patient |participant |subject )?((prefer(s|red)?|chose|choose|wish(es)?|want(s|ed)?|choosing|unwilling) (not )?to {_SAY}|(would )?rather not {_SAY}"
    rf"|(has )?(declin|refus)(e|es|ed)( to {_SAY})?)|(i )?(don.?t|do not|does not|doesn.?t|did not|didn.?t) (know|{_SAY})"
    r"|no (answer|response|reply|data|information|info|entry|value|record)( (given|available|provided|recorded|on file|entered))?"
    r"|not (answered|asked|collected|provided|given|filled|filled in|measured|determined|disclosed|applicable|available|known|stated|recorded|reported"
    r"|specified|documented|entered|yet known|ascertained|obtained|responded|sure)"
    r"|(missing|invalid|empty)( (data|value|entry))?"
    r"|((sex|gender|race|ethnicity|age|status|origin|value) )?unknown( (or|not) .*| (sex|gender|race|ethnicity|age|status|origin|value))?"
    r"|unable to (obtain|determine|answer|ascertain)"
)
"""Sentences by which forms and registers say that nothing was said; with accents, case and signs taken away."""
UNKNOWN_CODES = ("-1", "-9", "9", "99", "999", "-99", "-999", "9999", "88", "77", "98", "97")
"""Numbers that stand for "not known" where all other values are smaller whole numbers."""

FAMILIES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "sex": (FEMALE, MALE),
    "race": (WHITE, BLACK, ASIAN, HISPANIC, NOT_HISPANIC, NATIVE, PACIFIC, OTHER),
    "answer": (YES, NO),
}
"""Words within one inner tuple name one group. Families are kept apart: "w" is a woman or White."""


@cache
def _meanings() -> dict[str, dict[str, int]]:
    return {family: {plain(word): place for place, words in enumerate(groups) for word in words} for family, groups in FAMILIES.items()}


@cache
def _unknown() -> frozenset[str]:
    return frozenset(plain(word) for word in UNKNOWN)


def meaning(value: str, family: str) -> int | None:
    """Which group of the family the word names; None where it is not among its words."""
    return _meanings()[family].get(plain(value))


def is_unknown(value: str) -> bool:
    """Whether a word says that the value is not known."""
    return _says_unknown(plain(value))


@cache
def _says_unknown(text: str) -> bool:
    return text in _unknown() or bool(_NOT_SAID.fullmatch(text))


def is_known_word(value: str) -> bool:
    """Whether a word beyond ASCII is among the words of any family, with its accents: `nő` is, and `nõ`, which a wrong encoding makes of it, is not."""
    return not value.isascii() and value.strip().casefold() in _written()


@cache
def _written() -> frozenset[str]:
    return frozenset(word.casefold() for words in (UNKNOWN, *itertools.chain.from_iterable(FAMILIES.values())) for word in words)
