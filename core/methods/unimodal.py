"""One modality alone: what a single encoder can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.methods.base import Method, register
from core.methods.card import Card


@register
class Unimodal(Method):
    """Plain training of the network built with one modality."""

    name = "unimodal"
    card = Card(
        title="Unimodal",
        family="none",
        paper="the usual single-modality baseline",
        summary="Trains one modality alone, on the average loss of all patients.",
        inference_needs="its one modality",
        limits="needs the setting `modality` where a cohort has several",
        order=40,
        colour=("#9A9FA8", "#878D97"),
        default=True,
        one_modality=True,
    )

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        modality: str | None = None
        """Which modality; may be left out where there is only one."""

    @classmethod
    def variants(cls, available: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
        """One run per modality."""
        return {name: {"modality": name} for name in available}

    @classmethod
    def modalities(cls, settings: Method.Settings, available: tuple[str, ...]) -> tuple[str, ...]:
        """The chosen modality; ValueError names those to choose from."""
        assert isinstance(settings, cls.Settings)
        chosen = settings.modality or (available[0] if len(available) == 1 else None)
        if chosen not in available:
            asked = f"no modality {settings.modality!r}" if settings.modality else "no modality chosen"
            raise ValueError(f"unimodal: {asked}; set modality to one of: {', '.join(available)}")
        return (chosen,)
