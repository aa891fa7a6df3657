"""What the settings of runs are called for readers; the key that a setting is given by stands behind its title."""

from __future__ import annotations

TITLES = {
    "method": "Method", "attribute": "Sensitive attribute", "seed": "Seed", "preset": "Preset", "device": "Device",
    "lr": "Learning rate", "classifier_lr": "Learning rate of the modality classifiers", "weight_decay": "Weight decay",
    "classifier_weight_decay": "Weight decay of the modality classifiers", "epochs": "Epochs", "batch_size": "Samples in a step",
    "evaluation_batch": "Samples evaluated at once", "micro_batch": "Samples encoded at once", "schedule": "Course of the learning rate",
    "augment": "Changes to training images", "optimizer": "Optimizer",
    "selection": "How the kept epoch is chosen", "fit_on": "Data for later fits",
    "folds": "Folds of the cross-fit",
    "sampler": "How training samples are drawn", "clip": "Largest norm of the gradient", "momentum": "Momentum",
    "width": "Width of the features", "heads": "Attention heads", "layers": "Layers of the fusion", "dropout": "Dropout",
    "image_size": "Image height and width",
    "encoders": "Encoders", "enabled": "Measurements while training", "baseline": "Contribution before the first step",
    "probe_every": "Steps between measurements of conflict", "update_every": "Steps between measurements of the update",
    "bootstrap": "Resamples behind the intervals",
    "rho": "Factor on every encoder's gradient", "lam": "Weight of the alignment of gradients", "tau": "Scale of a modality's lead",
    "kappa": "Weight of the fairness loss", "eta": "Strength of the pull towards weak groups", "buffer": "Recent samples behind running AUCs",
    "smoothing": "Smoothing of running AUCs", "min_per_class": "Least samples of each outcome for a running AUC", "f_low": "Smallest factor for a modality",
    "f_high": "Largest factor for a modality", "temperature": "Temperature", "group_weight": "Weight of the group classifier's loss",
    "interaction": "Weight of the fused network's loss", "balance": "How far groups count the same in the fit", "ridge": "Penalty on the fitted weights",
    "unimodal": "Weight of the modality classifiers' losses", "project": "Conflicting gradients projected", "strength": "Strength of the method's own part",
    "weight": "Weight of the method's own loss", "alpha": "Strength of the balance", "cap": "Largest lead that counts",
    "sigma": "Share from which a modality counts as dominant",
    "ramp": "Point at which everything is masked", "bound": "Largest balancing factor", "conditional": "Outcome told to the adversary",
    "update": "How the adversary changes gradients",
    "start": "Start", "c": "Share of the group part", "group_part": "Kind of the group part", "blur": "Smoothing of the distance between groups",
    "super_epoch": "Epochs between renewals of the weights", "rate": "Step size of the group weights", "balanced": "Groups drawn equally often",
    "threshold": "Threshold",
    "times": "How often hard samples are repeated", "first": "Length of the first training", "independent": "Modalities trained apart", "scale": "Scale",
    "magnify": "Factor on the combined gradient", "confidence": "Source of the modality's confidence", "noise": "Noise added to gradients",
    "base": "Base rate of dropping",
    "execution": "Share of steps that drop", "rescale": "Features rescaled after dropping", "agreement": "Weight of agreement",
    "reconcilement": "Weight of reconcilement",
    "memory": "Earlier learners that are kept", "every": "Epochs between resets", "by": "What is drawn equally often", "epsilon": "Smoothing of the transport",
    "iterations": "Iterations of the transport", "rate_factor": "Learning rate while averaging", "constraint": "Fairness constraint", "modality": "Modality",
}  # fmt: skip
"""Key of a setting, without the part of the run in which it stands -> its title. One key means the same kind of thing in every method."""


def setting_title(setting: str) -> str:
    """`settings.f_low` -> `Smallest factor for a modality (f_low)`; an unknown one, of a user's own method, is its own name in words."""
    key = setting.rpartition(".")[2]
    title = TITLES.get(key)
    if title is None:
        words = key.replace("_", " ")
        return words[:1].upper() + words[1:]
    return title if title.casefold() == key.replace("_", " ").casefold() else f"{title} ({key})"
