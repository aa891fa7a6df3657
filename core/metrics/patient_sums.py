"""Sums of per-sample contributions within patients, for variances that know that samples of one patient go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PatientSums:
    """Patients within groups: a patient with samples in two groups counts once in each.

    member : (n,) patient-in-group of each sample; owner : (k,) group of each patient-in-group.
    """

    member: Ints
    owner: Ints
    n_groups: int

    @classmethod
    def of(cls, group: Ints, patient: Ints | None, n_groups: int) -> PatientSums:
        """From the group and the patient of each sample, (n,) each; without patients every sample is its own."""
        if patient is None:
            return cls(np.arange(group.size), group, n_groups)
        span = int(patient.max(initial=0)) + 1
        pairs, member = np.unique(group * span + patient, return_inverse=True)
        return cls(member.astype(np.int64), pairs // span, n_groups)

    def of_patients(self, contribution: Floats) -> Floats:
        """Contributions (n,) summed within patients, (k,)."""
        return np.bincount(self.member, contribution, self.owner.size).astype(np.float64)

    def products(self, a: Floats, b: Floats) -> Floats:
        """Sum over each group's patients of the product of two contributions, (G,)."""
        return np.bincount(self.owner, self.of_patients(a) * self.of_patients(b), self.n_groups).astype(np.float64)

    def squares(self, a: Floats) -> Floats:
        """Sum over each group's patients of the squared contribution, (G,)."""
        return self.products(a, a)

    @property
    def patients(self) -> Ints:
        """Patients of every group, (G,)."""
        return np.bincount(self.owner, minlength=self.n_groups)

    @property
    def correction(self) -> Floats:
        """C / (C - 1) for C patients, NaN for a single one."""
        c = self.patients.astype(np.float64)
        return np.divide(c, c - 1, out=np.full(c.shape, np.nan), where=c > 1)
