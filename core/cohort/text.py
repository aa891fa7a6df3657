"""Notes as word numbers: a vocabulary fitted on the training notes, nothing downloaded."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAD = 0
HASHED = 256
"""Numbers 1 to HASHED stand for words outside the vocabulary, by hash: a rare word keeps an identity."""
MAX_WORDS = 8192
MIN_COUNT = 2
MAX_LENGTH = 256
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[^\w\s]")


@dataclass(frozen=True)
class Tokenizer:
    """Words to numbers. `size` numbers in all, padding included."""

    vocabulary: dict[str, int]
    length: int
    """Words kept of a note: the 95th percentile of the training notes, at most MAX_LENGTH."""

    @property
    def size(self) -> int:
        return 1 + HASHED + len(self.vocabulary)

    def encode(self, texts: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Word numbers (n, length) and where there is a word, bool (n, length)."""
        ids = np.zeros((len(texts), self.length), np.int64)
        for row, text in enumerate(texts):
            found = [self._number(w) for w in words(text or "")[: self.length]]
            ids[row, : len(found)] = found
        return ids, ids != PAD

    def _number(self, word: str) -> int:
        # crc32, because Python's own hash differs from process to process.
        return self.vocabulary.get(word) or 1 + zlib.crc32(word.encode()) % HASHED


def words(text: str) -> list[str]:
    """The words of a note, in lower case."""
    return _WORD.findall(text.lower())


def fit(texts: Sequence[str | None]) -> Tokenizer:
    """A tokenizer from training notes: words seen at least twice, the most frequent first."""
    split = [words(t) for t in texts if t]
    counts = Counter(w for note in split for w in note)
    ranked = sorted((w for w, n in counts.items() if n >= MIN_COUNT), key=lambda w: (-counts[w], w))[:MAX_WORDS]
    lengths = [len(note) for note in split] or [1]
    length = int(np.clip(np.ceil(np.percentile(lengths, 95)), 1, MAX_LENGTH))
    return Tokenizer({w: 1 + HASHED + i for i, w in enumerate(ranked)}, length)
