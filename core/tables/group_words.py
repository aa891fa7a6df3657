"""Words by which tables name the same group: sexes, races, yes and no, and what was not said.

Languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian, Turkish,
Chinese, Japanese, Korean, Greek, Hebrew and Arabic, as far as tables of patients use them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

FEMALE = (
    "f", "female", "fem", "woman", "women", "girl", "w", "weiblich", "frau", "femme", "féminin", "feminin", "féminine", "f.", "weibl", "žena", "ženský",
    "ženské", "kvinna", "kvinde", "nainen", "หญิง", "nữ", "mujer", "femenino", "femenina",
    "feminino", "mulher", "femmina", "femminile", "donna", "vrouw", "vrouwelijk", "kobieta", "k", "ж", "жен", "женский", "женщина", "kadın", "kadin",
    "女", "女性", "女士", "여", "여성", "여자", "נקבה", "אישה", "أنثى", "انثى", "γυναίκα", "θήλυ",
)  # fmt: skip
MALE = (
    "m", "male", "masc", "man", "men", "boy", "männlich", "maennlich", "männl", "muž", "mužský", "mužské", "mies", "mand", "ชาย", "nam", "mann", "homme",
    "masculin", "masculine", "hombre", "masculino", "varón", "varon",
    "homem", "maschio", "maschile", "uomo", "mannelijk", "mężczyzna", "mezczyzna", "м", "муж", "мужской", "мужчина", "erkek",
    "男", "男性", "男士", "남", "남성", "남자", "זכר", "גבר", "ذكر", "άνδρας", "άρρεν",
)  # fmt: skip
WHITE = (
    "white",
    "caucasian",
    "white or caucasian",
    "white/caucasian",
    "caucasian/white",
    "white caucasian",
    "european american",
    "blanc",
    "blanco",
    "weiß",
    "weiss",
    "branco",
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
YES = ("yes", "y", "true", "t", "ja", "oui", "sí", "si", "sim", "tak", "да", "evet", "是", "はい", "예", "present")
NO = ("no", "n", "false", "nein", "non", "não", "nao", "nie", "нет", "hayır", "hayir", "否", "いいえ", "아니오", "absent")
UNKNOWN = (
    "unknown", "unk", "u", "not known", "unknown/other", "other/unknown", "unknown/not specified", "not specified", "not reported", "unreported",
    "not recorded", "not stated", "not available",
    "not applicable", "not done", "not tested", "not performed", "not assessed", "not documented", "pending", "awaited", "n.a.", "n/a", "na", "nan", "null",
    "none", "missing", "declined", "patient declined to answer", "declined to answer", "declined to state", "refused",
    "patient refused", "prefer not to say", "prefer not to answer", "unable to obtain", "undisclosed", "not disclosed", "?", ".", "-", "--", "nk", "n.k.",
    "k.a.", "keine angabe", "unbekannt",
    "inconnu", "inconnue", "non renseigné", "desconocido", "desconocida", "no especificado", "desconhecido", "não informado", "sconosciuto", "onbekend",
    "nieznany", "неизвестно",
    "bilinmiyor", "未知", "不详", "不明", "未提供", "모름", "미상",
)  # fmt: skip
UNKNOWN_CODES = ("-1", "-9", "9", "99", "999", "-99", "-999", "9999", "88", "77", "98", "97")
"""Numbers that stand for "not known" where all other values are smaller whole numbers."""

FAMILIES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "sex": (FEMALE, MALE),
    "race": (WHITE, BLACK, ASIAN, HISPANIC, NOT_HISPANIC, NATIVE, PACIFIC, OTHER),
    "answer": (YES, NO),
}
"""Words within one inner tuple name one group. Families are kept apart: "w" is a woman or White."""


@cache
def plain(value: str) -> str:
    """A group's name without case, accents, punctuation and doubled spaces; whole numbers without zeros."""
    text = unicodedata.normalize("NFKC", repaired(value)).casefold().strip()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    if re.fullmatch(r"[-+]?\d+([.]0*)?", text):
        return str(int(float(text)))
    text = text.replace("ı", "i")
    squeezed = re.sub(r"(?:[\s_/\\]|(?<=\w)-(?=\w)|(?<!\d)\.(?!\d))+", " ", text).strip(" .:;,*\"'()")
    # A sign that is the whole name, or that ends it (A+, 60+), is its meaning.
    return squeezed or text


def repaired(value: str) -> str:
    """A word whose UTF-8 bytes were read as Windows-1252 (`MÃ©tis`), as it was written; others as they are."""
    if not re.search(r"[ÃÂâÐÑÅÄ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¡-¿]", value):
        return value
    try:
        return value.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return value


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
    return plain(value) in _unknown()


def is_known_word(value: str) -> bool:
    """Whether a word beyond ASCII is among the words of any family."""
    return not value.isascii() and (plain(value) in _unknown() or any(plain(value) in words for words in _meanings().values()))
