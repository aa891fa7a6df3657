"""Words and single letters by which tables of many languages name the two sexes.

A letter has its meaning from the words beside it: F is female, and in Hungarian férfi, a man; M is
male, and in Spanish mujer, in Lithuanian moteris, women. Where the words leave two readings, none is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.tables.plain_words import plain

FEMALE_LETTERS, MALE_LETTERS = "fwkж", "mм"
"""What a letter means where no word beside it says otherwise."""
LANGUAGES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str, str]] = {
    "en": (("female", "fem", "woman", "women", "girl", "f."), ("male", "masc", "man", "men", "boy", "m."), "fw", "m"),
    "de": (("weiblich", "weibl", "frau", "mädchen", "w."), ("männlich", "maennlich", "männl", "mann", "junge"), "wf", "m"),
    "fr": (("femme", "féminin", "féminine", "feminin", "fille", "fém"), ("homme", "masculin", "garçon"), "f", "hm"),
    "es": (("mujer", "femenino", "femenina", "niña", "hembra"), ("hombre", "masculino", "varón", "niño", "macho"), "mf", "h"),
    "es2": (("femenino", "femenina", "feminino", "femenil"), ("masculino",), "f", "m"),
    "pt": (("mulher", "feminino", "feminina", "menina"), ("homem", "masculino", "menino"), "mf", "h"),
    "it": (("femmina", "femminile", "donna"), ("maschio", "maschile", "uomo"), "fd", "mu"),
    "nl": (("vrouw", "vrouwelijk", "meisje"), ("man", "mannelijk", "jongen"), "v", "m"),
    "pl": (("kobieta", "żeńska", "żeński", "kobiety"), ("mężczyzna", "mezczyzna", "męska", "męski"), "k", "m"),
    "cs": (("žena", "ženský", "ženské", "ženská", "ženy"), ("muž", "mužský", "mužské", "mužská", "muži"), "žz", "m"),
    "sl": (("ženska", "žensko", "ženski"), ("moški", "muškarac", "muško", "muški"), "žz", "m"),
    "hu": (("nő", "női", "lány", "nöi"), ("férfi", "fiú", "ferfi"), "n", "f"),
    "ro": (("femeie", "feminin", "femei"), ("bărbat", "masculin", "barbat"), "f", "bm"),
    "sv": (("kvinna", "kvinnor", "flicka", "kvinnlig"), ("man", "män", "pojke", "manlig"), "k", "m"),
    "da": (("kvinde", "kvinne", "pige", "jente"), ("mand", "mann", "dreng", "gutt"), "k", "m"),
    "fi": (("nainen", "tyttö", "naiset"), ("mies", "poika", "miehet"), "n", "m"),
    "et": (("naine", "naised"), ("mees", "mehed"), "n", "m"),
    "lv": (("sieviete", "sievietes"), ("vīrietis", "vīrieši"), "s", "v"),
    "lt": (("moteris", "moterys", "moteriška"), ("vyras", "vyrai", "vyriška"), "m", "v"),
    "tr": (("kadın", "kadin", "kız", "bayan"), ("erkek", "bay"), "k", "e"),
    "ru": (("женский", "женщина", "жен", "девочка"), ("мужской", "мужчина", "муж", "мальчик"), "ж", "м"),
    "uk": (("жінка", "жіноча", "жіночий"), ("чоловік", "чоловіча", "чоловічий"), "ж", "ч"),
    "bg": (("жена", "женски"), ("мъж", "мъжки"), "ж", "м"),
    "sr": (("жена", "женско", "женски"), ("мушкарац", "мушко", "мушки"), "ж", "м"),
    "el": (("γυναίκα", "θήλυ", "κορίτσι"), ("άνδρας", "άντρας", "άρρεν", "αγόρι"), "γθ", "α"),
    "id": (("perempuan", "wanita"), ("laki-laki", "lelaki", "pria", "laki laki", "lakilaki"), "pw", "l"),
    "vi": (("nữ", "nữ giới"), ("nam", "nam giới"), "", ""),
    "sw": (("mwanamke", "ke"), ("mwanaume", "mwanamume", "me"), "", ""),
    "hi": (("महिला", "स्त्री", "औरत"), ("पुरुष", "आदमी"), "", ""),
    "fa": (("زن", "مونث", "دختر"), ("مرد", "مذکر", "پسر"), "", ""),
    "ar": (("أنثى", "انثى", "امرأة", "إناث"), ("ذكر", "رجل", "ذكور"), "", ""),
    "he": (("נקבה", "אישה"), ("זכר", "גבר"), "נ", "ז"),
    "th": (("หญิง", "สตรี", "เพศหญิง"), ("ชาย", "เพศชาย", "บุรุษ"), "", ""),
    "zh": (("女", "女性", "女士", "女孩", "婦女"), ("男", "男性", "男士", "男孩"), "", ""),
    "ko": (("여", "여성", "여자"), ("남", "남성", "남자"), "", ""),
}
"""Language -> words for women and girls, for men and boys, and the letters for the one and for the other. `es2` says femenino, so its letters are F and M."""
COLUMNS = frozenset(
    {
        "sex", "gender", "geschlecht", "sexe", "sexo", "sesso", "genre", "género", "genero", "genere", "gênero", "kön", "køn", "kjønn", "kjonn",
        "pohlaví", "pohlavi", "pohlavie", "geslacht", "płeć", "plec", "cinsiyet", "nem", "neme", "sukupuoli", "sugu", "dzimums", "lytis", "spol", "pol",
        "jantina", "kelamin", "giới", "jinsia", "性别", "性別", "성별", "пол", "стать", "φύλο", "φυλο", "लिंग", "جنسیت", "الجنس", "เพศ", "מין",
    }
)  # fmt: skip
"""Words in the name of a column that say that it holds the sex."""


KNOWN_LETTERS = frozenset(FEMALE_LETTERS + MALE_LETTERS).union(*(f + m for _, _, f, m in LANGUAGES.values()))


def letter_meanings(letters: Iterable[str], words: Iterable[str]) -> dict[str, int | None]:
    """0 (female) or 1 (male) for each plain letter beside these plain words; None where two readings remain, and no entry for others.

    A language whose own letters are all there (N and F beside nő and férfi) is believed; so are F and M where no
    word's language has other letters for all that is there.
    """
    wanted, beside = set(letters) & KNOWN_LETTERS, set(words)
    spoken = [(f, m) for women, men, f, m in LANGUAGES.values() if (f or m) and beside & _plain_words(women, men)]
    readings = [dict.fromkeys(f, 0) | dict.fromkeys(m, 1) for f, m in spoken]
    usual: dict[str, int] = dict.fromkeys(FEMALE_LETTERS, 0) | dict.fromkeys(MALE_LETTERS, 1)
    whole = [r for r in readings if wanted <= set(r) and len({r[letter] for letter in wanted}) == 2]
    if whole and not (wanted == {"f", "m"} and any(r == {"f": 0, "m": 1} | r for r in whole)):
        chosen = whole
    elif {"f", "m"} <= wanted or not readings:
        chosen = [usual]
    else:
        chosen = [*readings, usual]
    found: dict[str, int | None] = {}
    for letter in wanted:
        meant = {r[letter] for r in chosen if letter in r}
        if meant:
            found[letter] = meant.pop() if len(meant) == 1 else None
    return found


def _plain_words(women: tuple[str, ...], men: tuple[str, ...]) -> set[str]:
    return {plain(word) for word in (*women, *men)}
