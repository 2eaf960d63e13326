"""The model card: what the model is for, what it saw, how good it is, for whom it errs. Words from the product, figures
from the test part of the split."""

from __future__ import annotations

import numpy as np

from defaultx_training import metrics, plots
from defaultx_training.native import FILE, TOLERANCE, Native
from defaultx_training.product import Product
from defaultx_training.scale import Scale
from defaultx_training.train import VERSION, Fit
from defaultx_training.trees import HOLE_RATE, HOLED_ROWS, Trees

ALMOST_ZERO = 2.0e-35

KINDS = {
    "scorecard": "a points-based scorecard: logistic regression over bins, each feature a step function",
    "net": "a dense net, 64 and 32 rectified units, over squashed amounts and stepped codes",
    "torch": "a dense net, 64 and 32 rectified units, over squashed amounts and stepped codes, learned by PyTorch and exported by torch.onnx",
    "xgboost": "boosted trees, grown by XGBoost and exported by its stock converter",
    "lightgbm": "boosted trees, grown by LightGBM and exported by its stock converter",
}


def files(fits: dict[str, Fit], scale: Scale, native: Native | None = None) -> dict[str, bytes]:
    """CARD.md and its pictures."""
    fit = next(iter(fits.values()))
    y, pd = fit.y[fit.split.test], fit.pds(fit.split.test)
    return {
        "CARD.md": text(fits, scale, native).encode(),
        "calibration.png": plots.calibration(y, pd),
        "scores.png": plots.scores(y, scale.scores(pd), scale),
    }


def text(fits: dict[str, Fit], scale: Scale, native: Native | None = None) -> str:
    """The whole card."""
    fit = next(iter(fits.values()))
    trees = [f"## Trees\n\n{trees_section(fit, native)}"] if native else []
    sections = [
        f"# {fit.name} {VERSION}\n\n{sentence(KINDS[fit.kind])} Version {VERSION}, product `{fit.product.product}`.",
        f"## Intended use\n\n{fit.product.intended}",
        f"## Data\n\n{data_section(fits)}",
        f"## Features\n\n{feature_table(fit)}",
        *trees,
        f"## Left out, and why\n\n{exclusions(fit.product)}",
        f"## Figures\n\n{figure_table(fits)}",
        f"## Calibration and scores\n\n{calibration_section(fit, scale)}",
        f"## By group\n\n{fairness_section(fit)}",
        f"## Limits\n\n{bullets(fit.product.limits)}",
    ]
    return "\n\n".join(sections) + "\n"


def data_section(fits: dict[str, Fit]) -> str:
    """Source, target, rows and splits."""
    fit = next(iter(fits.values()))
    y = fit.y
    lines = [
        f"Source: {fit.product.data_source}",
        f"Target: {fit.product.target}; horizon {fit.product.horizon_months} month(s); population: booked loans; "
        "no correction of the prior.",
        f"{len(y):,} rows, {y.mean():.2%} default. {fit.product.split_note}",
    ]
    for name, each in fits.items():
        train, test = each.split.train, each.split.test
        lines.append(
            f"Split *{name}*: {len(train):,} rows to train ({y[train].mean():.2%} default), "
            f"{len(test):,} to test ({y[test].mean():.2%})."
        )
    return bullets(lines)


def feature_table(fit: Fit) -> str:
    """Each feature with its source and direction."""
    lines = ["| feature | what it is | read from | pd held to be |", "|---|---|---|---|"]
    for feature in fit.product.features:
        source = f"`{feature.pointer}`" if feature.pointer else "expression in the manifest"
        lines.append(f"| `{feature.name}` | {feature.about} | {source} | {fit.direction(feature)} |")
    return "\n".join(lines) + "\n\nWhere pd is held, it never moves the other way as the value rises. A net is held to nothing."


def trees_section(fit: Fit, native: Native) -> str:
    """Size, missing values, and what the export changed."""
    forest = fit.model.forest
    change = np.abs(native.probabilities - native.exported)
    changed = ", ".join(f"line {row + 2} by {change[row]:.2g}" for row in native.changed[:20]) or "none"
    same = np.delete(change, native.changed).max()
    return bullets(
        [
            f"{len(forest.roots)} trees, {int((~forest.leaf).sum()):,} questions, {int(forest.leaf.sum()):,} leaves. "
            "The margin is their sum in single precision, tree by tree.",
            f"A missing value is not a number and goes the way that training found for it: {HOLED_ROWS:.0%} of the rows entered "
            f"a second time with {HOLE_RATE:.0%} of their optional values taken away (seed 0). Who leaves a value out on purpose is not like those: ask for what is missing.",
            "Contributions are exact Shapley values against the applicants near the cutoff (interventional TreeSHAP).",
            f"Against {native.library} itself, on the {len(native.x):,} rows of `{FILE}` (of the set, with holes, on and beside "
            f"thresholds, at the ends of ranges): rows whose probability the export changed by more than {TOLERANCE:g}, or their "
            f"class: {len(native.changed)} ({changed}); the others differ by at most {same:.1e}.{why_changed(native)}",
        ]
    )


def why_changed(native: Native) -> str:
    """What is known of the rows that an export changed."""
    x = native.x[native.changed]
    tiny = int(np.any((np.abs(x) < ALMOST_ZERO) & (x != 0.0), axis=1).sum())
    words = f" Of these, {tiny} have a value within {ALMOST_ZERO:g} of zero but not zero, which LightGBM reads as zero and the export does not; no application has one."
    return words if tiny else ""


def exclusions(product: Product) -> str:
    """What the data offer and the model does not read."""
    return bullets(f"**{what}**: {why}." for what, why in product.exclusions)


def figure_table(fits: dict[str, Fit]) -> str:
    """Figures of merit on the test rows, with intervals, split by split."""
    parts = []
    for name, fit in fits.items():
        y, pd = fit.y[fit.split.test], fit.pds(fit.split.test)
        lines = [f"Test rows of the split *{name}*:", "", "| figure | value | 95 % interval |", "|---|---|---|"]
        lines += [
            f"| {label} | {figure.value:.4f} | {figure.low:.4f} to {figure.high:.4f} |"
            for label, figure in metrics.figures(y, pd).items()
        ]
        known = fit.product.reference_auc.get(name, {}).get(fit.kind)
        if known is not None:
            lines += ["", f"Reference AUC on this split: {known:.4f}."]
        parts.append("\n".join(lines))
    note = (
        f"Intervals: {metrics.BOOTSTRAPS} bootstrap resamples of the test rows. ECE: {metrics.ECE_BINS} bins of equal width."
    )
    return "\n\n".join([*parts, note])


def calibration_section(fit: Fit, scale: Scale) -> str:
    """Platt's numbers, the scale, the bands, the pictures."""
    test = fit.split.test
    y, pd = fit.y[test], fit.pds(test)
    points = scale.scores(pd)
    of = np.array([scale.band(score) for score in points])
    lines = ["| band | from | share | default rate | mean pd |", "|---|---|---|---|---|"]
    for band in scale.bands:
        rows = of == band["name"]
        rate, mean = (f"{y[rows].mean():.2%}", f"{pd[rows].mean():.2%}") if rows.any() else ("-", "-")
        lines.append(f"| {band['name']} | {band['min_score']} | {rows.mean():.1%} | {rate} | {mean} |")
    return (
        f"{calibration_words(fit)}\n\n"
        f"Scale `{scale.id}`: {scale.base_score:g} points at odds of {scale.base_odds:g}:1, {scale.pdo:g} points double them. "
        f"Class 1 from pd {fit.product.threshold:g}.\n\n" + "\n".join(lines) + "\n\n"
        "![observed default rate against predicted pd, in tenths of the test rows](calibration.png)\n\n"
        "![distribution of scores for defaults and the others, with the bands](scores.png)"
    )


def calibration_words(fit: Fit) -> str:
    """Which calibration, why, and where its probability stands still."""
    chosen = fit.calibration
    formula = {
        "platt": lambda: f"pd = sigmoid({chosen.a:g} · margin {chosen.b:+g})",
        "isotonic": lambda: f"Isotonic: straight lines between {len(chosen.margins)} points",
        "binned": lambda: f"Binned: one pd for each of {len(chosen.values)} bins",
    }[chosen.method]()
    losses = ", ".join(f"{method} {loss:.5f}" for method, loss in fit.choice.losses.items())
    words = (
        f"{formula}, fitted on out-of-fold margins of the training rows. Log loss on rows that neither the model nor the "
        f"calibration saw: {losses}. Chosen: {chosen.method}; {fit.choice.why}."
    )
    if not chosen.plateaus():
        return words
    margins = fit.margins(fit.x[fit.split.test]).astype(np.float64)
    lines = ["| plateau: margins from | to | pd | share of the test rows |", "|---|---|---|---|"]
    for flat in chosen.plateaus():
        inside = (margins >= flat.low) & (margins < flat.high)
        ends = [f"{end:.4f}" if np.isfinite(end) else "-" for end in (flat.low, flat.high)]
        lines.append(f"| {ends[0]} | {ends[1]} | {flat.pd:.4f} | {inside.mean():.1%} |")
    told = "Within a plateau only the margin tells applicants apart; a cutoff inside one does not exist."
    return f"{words} {told}\n\n" + "\n".join(lines)


def fairness_section(fit: Fit) -> str:
    """Approval at the threshold, group by group, on the test rows."""
    test = fit.split.test
    groups = {name: of[test] for name, of in fit.product.groups().items()}
    table = metrics.fairness(fit.y[test], fit.pds(test), fit.product.threshold, groups)
    lines = ["| attribute | group | rows | default rate | mean pd | AUC | approval | AIR |", "|---|---|---|---|---|---|---|---|"]
    for row in table:
        auc = "-" if np.isnan(row.auc) else f"{row.auc:.3f}"
        air = "-" if row.air is None else f"{row.air:.3f}"
        lines.append(
            f"| {row.attribute} | {row.group} | {row.rows:,} | {row.bad_rate:.1%} | {row.mean_pd:.1%} | {auc} "
            f"| {row.approval:.1%} | {air} |"
        )
    return (
        f"{fit.product.groups_note}\n\nApproval: pd below {fit.product.threshold:g}. AIR: a group's approval rate over the "
        f"highest one of its attribute; groups under {metrics.FEWEST} rows take no part.\n\n" + "\n".join(lines)
    )


def bullets(lines) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def sentence(words: str) -> str:
    """First letter up, a full stop."""
    return words[0].upper() + words[1:] + "."
