"""Rivals that are named in the field and not trained here, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Absent:
    """A method, or a way of training, that `multifair methods` does not hold."""

    name: str
    paper: str
    reason: str


def absent_methods() -> tuple[Absent, ...]:
    """What is missing, in the order in which it would be added."""
    return (
        Absent(
            "Sample-level modality valuation",
            "Wei et al., CVPR 2024",
            "trains on copies of patients with some of their modalities hidden; the loop gives a method the order of patients in an epoch, but not "
            "which modalities a copy shows",
        ),
        Absent(
            "FairCLIP in full",
            "Luo et al., CVPR 2024",
            "its loss needs image-text pairs of a contrastive model, which cohorts here do not have; the method `sinkhorn` is its distance on the fused logit",
        ),
        Absent(
            "LFM's learned share",
            "Yang et al., NeurIPS 2024",
            "needs second derivatives of all weights in every epoch; the method `lfm` has the paper's fixed schedule",
        ),
        Absent(
            "Strong augmentation and tuned weight decay",
            "settings of every method",
            "no methods of their own: `--set augment=strong` and `--set weight_decay=0.1` with any method, rows of plain training in the contest; "
            "`multifair tune` searches weight decay for all",
        ),
        Absent(
            "Plain training with patients of validation in training",
            "another split of the same patients",
            "an earlier check (1,600 / 200 instead of 1,000 / 800 patients) found erm .893, multifair-plus .914 and the neglected modality alone "
            ".926; the contest holds the splits fixed",
        ),
    )
