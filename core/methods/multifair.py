"""MultiFair: balance between modalities and fairness between groups in one training step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import balancing_factors, clip_gradients, last_layer_gradient
from core.methods.base import Context, Method, Step, register
from core.methods.card import Card
from core.methods.rolling import RollingScores, cell_weights, score_rows, surrogate_group_aucs


@register
class MultiFair(Method):
    """L = CE + lambda L_gm + gate kappa F_G; encoder m's gradient is multiplied by rho B_m f_m.

    The paper's method with its estimates made stable: AUCs over the last 512 training
    samples instead of one batch, the change of AUC and the gap between groups smoothed,
    f clamped, groups without enough of both classes skipped, L_gm in closed form so that it
    needs no second backward pass, and F_G on attached features so that it trains them.
    """

    name = "multifair"
    card = Card(
        title="MultiFair",
        family="both",
        paper="MultiFair, arXiv 2510.07328, IEEE TMI 2026",
        summary="Slows the modality that learns fastest, speeds up what serves weak groups, and aligns each modality's gradient with the fused one.",
        limits="AdamW divides out a persistent scaling of gradients, so the modulation is weaker than its factors say and rho changes nothing (it "
        "does under optimizer=sgd)",
        departures="AUCs of the last 512 training samples instead of one batch, smoothed; f clamped; groups without enough of both classes skipped: "
        "estimates that a batch of 32 cannot give",
        order=20,
        colour=("#3D5BD9", "#8CA2FF"),
        default=True,
    )
    inert_under_adamw = ("rho",)
    search_space: ClassVar = {"lam": (0.05, 0.15, 0.3), "kappa": (0.25, 0.5, 1.0), "eta": (0.3, 0.5), "tau": (0.04, 0.07)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        rho: float = 1.2
        lam: float = 0.15
        """lambda, the weight of L_gm."""
        tau: float = 0.04
        kappa: float = 0.5
        """Weight of the fairness loss F_G."""
        eta: float = 0.3
        clip: float | None = 0.8
        """Norm to which the gradient of all parameters is clipped; None: not."""
        buffer: int = 512
        """Recent training samples behind A_m and A_mg."""
        smoothing: float = 0.9
        """Momentum of the changes of A_m and of the gap between groups; 0: none."""
        min_per_class: int = 5
        """An AUC counts with at least this many samples of both classes in the buffer."""
        f_low: float = 0.5
        f_high: float = 1.5
        temperature: float = 1.0
        """T of the surrogate AUC, in units of log-odds."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count, device = len(context.modalities), context.device
        # The fused score is one more column beside the modality classifiers' scores.
        self._columns = 1 if context.n_classes == 2 else context.n_classes
        """Score rows of each of them: one against the rest, where there are more than two classes."""
        self._recent = RollingScores(self.settings.buffer, (count + 1) * self._columns, len(context.groups), device)
        self._auc = torch.full((count,), torch.nan, device=device)
        self._change = torch.zeros(count, device=device)
        self._gap = torch.zeros((), device=device)
        self._clipped: list[nn.Parameter] | None = None
        self._series: dict[str, Tensor] = {}
        self._factor = torch.ones(count, device=device)

    def loss(self, step: Step) -> Tensor:
        batch, features = step.batch, step.features.float()
        valid = torch.cat([batch.present, torch.ones_like(batch.present[:, :1])], 1)
        cells = cell_weights(valid, batch.y, batch.group, len(self.context.groups), self.context.n_classes)
        logits = step.network.classify(features, detach_weights=True)
        fairness = self.fairness_loss(logits, cells[: -self._columns])
        aucs = self._observe(step, cells)
        balance = self._balance(aucs[:-1, 0])
        gate = self._gate(aucs[-1, 1:])
        f = self._group_factor(aucs[:-1, 1:], cells[-1, :, 1:].sum((0, 2)))
        assert step.fused.last_input is not None
        direction = direction_loss(step.fused.logits, step.fused.last_input, logits, features, batch.y, batch.present, balance)
        self._factor = self.settings.rho * balance * torch.where(gate > 0, f, 1.0)
        self._series = {
            "balance": balance,
            "fairness_factor": f,
            "factor": self._factor,
            "gate": gate,
            "gap": self._gap,
            "direction_loss": direction.detach(),
            "fairness_loss": fairness.detach(),
            "group_auc": aucs[:-1, 1:],
        }
        return step.fused_loss() + self.settings.lam * direction + (self.settings.kappa * gate) * fairness

    def fairness_loss(self, logits: Tensor, cells: Tensor) -> Tensor:
        """F_G: mean over modalities and groups of |A_mg - Abar_m|, groups without a pair skipped; a scalar.

        `logits` (N, M, K) come from attached features, `cells` (R, 2, 1 + C, N) of their score rows say who is
        where. Pairs are completed by the samples of the buffer, which is why this runs
        before the batch is pushed there.
        """
        recent, own = self._recent, slice(None, -self._columns)
        aucs, known = surrogate_group_aucs(score_rows(logits), cells[:, :, 1:], recent.score[own], recent.cells[own, :, 1:], self.settings.temperature)
        aucs, known = self._over_classes(aucs, known)
        mean = aucs.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp_min(1)
        return torch.where(known, aucs - mean, 0.0).abs().sum() / known.sum().clamp_min(1)

    @torch.no_grad()
    def _observe(self, step: Step, cells: Tensor) -> Tensor:
        """Push the batch and read the buffer: AUCs (M + 1, 1 + C), modalities first, fused last."""
        logits = torch.cat([step.modality_logits, step.fused.logits[:, None]], dim=1)
        self._recent.push(score_rows(logits), cells)
        aucs = self._recent.aucs(self.settings.min_per_class)
        return aucs if self._columns == 1 else aucs.unflatten(0, (-1, self._columns)).nanmean(1)

    def _over_classes(self, aucs: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of one against the rest over the classes that are known, (S, C) from (S K, C), and whether there is any."""
        if self._columns == 1:
            return aucs, known
        several, there = aucs.unflatten(0, (-1, self._columns)), known.unflatten(0, (-1, self._columns))
        return torch.where(there, several, 0.0).sum(1) / there.sum(1).clamp_min(1), there.any(1)

    @torch.no_grad()
    def _balance(self, auc: Tensor) -> Tensor:
        """B (M,) from the smoothed |A_m(t) - A_m(t-1)|; an AUC that is not known changes nothing."""
        change = (auc - self._auc).abs().nan_to_num(0.0)
        self._change = self.settings.smoothing * self._change + (1 - self.settings.smoothing) * change
        self._auc = torch.where(auc.isnan(), self._auc, auc)
        return balancing_factors(self._change)

    @torch.no_grad()
    def _gate(self, group_auc: Tensor) -> Tensor:
        """1 while the smoothed gap of the fused model between groups exceeds tau, else 0; a scalar."""
        # Unknown AUCs lose both comparisons; with none known the difference is -inf, which is no gap.
        gap = (group_auc.nan_to_num(-torch.inf).amax() - group_auc.nan_to_num(torch.inf).amin()).clamp_min(0)
        self._gap = self.settings.smoothing * self._gap + (1 - self.settings.smoothing) * gap
        return (self._gap > self.settings.tau).to(gap.dtype)

    @torch.no_grad()
    def _group_factor(self, group_auc: Tensor, count: Tensor) -> Tensor:
        """f (M,): sum_g pi_g [1 + eta (Abar_m - A_mg) / tau], clamped; a group that is not known counts as 1.

        `group_auc` (M, C), NaN where unknown; `count` (C,) samples of each group in the batch.
        """
        share = count / count.sum().clamp_min(1)
        need = (group_auc.nanmean(1, keepdim=True) - group_auc).nan_to_num(0.0)
        return (1 + self.settings.eta / self.settings.tau * (need @ share)).clamp(self.settings.f_low, self.settings.f_high)

    def feature_gradient_factors(self, step: Step) -> Tensor | None:
        return self._factor

    def after_backward(self, step: Step) -> None:
        if self.settings.clip is not None:
            if self._clipped is None:
                # Walking the network for them takes half as long as clipping them.
                self._clipped = step.network.main_parameters()
            clip_gradients(self._clipped, self.settings.clip)

    def state(self) -> dict[str, Tensor]:
        return {**self._recent.state(), "auc": self._auc, "change": self._change, "gap": self._gap}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        device = self.context.device
        self._recent.load_state(state)
        self._auc, self._change, self._gap = (state[name].to(device) for name in ("auc", "change", "gap"))

    def series(self) -> dict[str, Tensor]:
        return self._series


def direction_loss(fused_logits: Tensor, fused_input: Tensor, modality_logits: Tensor, features: Tensor, y: Tensor, present: Tensor, balance: Tensor) -> Tensor:
    """L_gm = mean over m of |B_m| - B_m cos(G_F, G_m), a differentiable scalar.

    G is the gradient of the mean cross-entropy in the last linear layer, in closed form
    (p - y)^T x / N; G_m takes the samples that have modality m. Where a gradient is 0 the
    cosine counts as 0.

    Shapes: fused_logits (N, K), fused_input (N, D), modality_logits (N, M, K), features
    (N, M, D), y (N,), present (N, M), balance (M,). Source: CGGM, NeurIPS 2024.
    """
    # The fused head is treated as one more modality that everybody has.
    here = torch.cat([torch.ones_like(present[:, :1]), present], 1)
    gradients = last_layer_gradient(torch.cat([fused_logits[:, None], modality_logits], 1), y, torch.cat([fused_input[:, None], features], 1), here)
    unit = nn.functional.normalize(gradients.flatten(1), dim=1, eps=1e-12)
    return (balance.abs() - balance * (unit[1:] @ unit[0])).mean()
