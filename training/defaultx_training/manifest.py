"""The manifest: what a package says of itself, and what each number of its graph means."""

from __future__ import annotations

from defaultx_training import toml_text
from defaultx_training.features import Feature
from defaultx_training.scorecard import Scorecard
from defaultx_training.train import VERSION, Fit
from defaultx_training.trees import Trees

# Codes of sample Form C-1, which every deployment knows; any other code comes with its text.
BUILT_IN = frozenset(
    "application_incomplete insufficient_references unacceptable_references references_unverified irregular_employment "
    "employment_unverified employment_length income_insufficient excessive_obligations income_unverified residence_length "
    "temporary_residence residence_unverified no_credit_file limited_experience poor_performance_with_us "
    "delinquent_obligations collection_or_judgment garnishment foreclosure_or_repossession bankruptcy recent_inquiries "
    "collateral_insufficient other".split()
)


def text(fit: Fit, digests: dict[str, str], native: dict | None) -> str:
    """The whole file; `digests` are of graph, golden and reference, `native` is what trees say of their library's answers."""
    product = fit.product
    scorecard = fit.model if isinstance(fit.model, Scorecard) else None
    trees = isinstance(fit.model, Trees)
    head = {
        "name": fit.name,
        "version": VERSION,
        "kind": "trees" if trees else "scorecard" if scorecard else "net",
        "product": product.product,
        "scale_id": product.scale_id,
        "data_source": product.data_source,
        **{f"{part}_sha256": digest for part, digest in digests.items()},
    }
    target = {
        "definition": product.target,
        "horizon_months": product.horizon_months,
        "population": "booked",
        "prior_correction": "none",
    }
    graph = {
        "input": "features",
        "margin": None if trees else "margin",
        "probability": "probabilities" if trees else None,
        "link": "log_odds" if trees else None,
        "partials": "partials" if scorecard else None,
        "intercept": scorecard.intercept if scorecard else None,
    }
    parts = [
        "# Written by training/run train; a change here makes the digests wrong.\n" + toml_text.table("", head),
        toml_text.table("[target]", target),
        toml_text.table("[graph]", graph),
        toml_text.table("[calibration]", fit.calibration.table()),
        toml_text.table("[classification]", {"threshold": product.threshold}),
        toml_text.table("[reasons]", {"reference": "near_cutoff"}),
        *([toml_text.table("[native]", native)] if native else []),
    ]
    parts += [feature_table(fit, feature, value) for feature, value in zip(product.features, fit.missing, strict=True)]
    parts += [reason_table(code, *product.reasons[code]) for code in own_codes(product.features)]
    return "\n".join(parts)


def feature_table(fit: Fit, feature: Feature, missing: float) -> str:
    """One [[feature]]."""
    low, high, absent = feature.reasons
    present = {"policy": "nan"} if isinstance(fit.model, Trees) else {"policy": "value", "value": missing}
    policy = {"policy": "unscorable"} if feature.required else present
    entries = {
        "name": feature.name,
        "type": feature.type,
        "pointer": feature.pointer,
        "expr": feature.expr,
        "unit": feature.unit,
        "scale": feature.scale if feature.type == "money" else None,
        "range": list(feature.range) if feature.range else None,
        "categories": list(feature.categories) or None,
        "unknown": "missing" if feature.categories else None,
        "missing": policy,
        "reason_low": low,
        "reason_high": high,
        "reason_missing": absent,
        "actionable": feature.actionable,
        "monotone": fit.direction(feature),
    }
    return toml_text.table("[[feature]]", entries)


def reason_table(code: str, words: str, form_c1: str, hmda: int) -> str:
    """One [[reason]]."""
    return toml_text.table("[[reason]]", {"code": code, "text": words, "form_c1": form_c1, "hmda": hmda})


def own_codes(features: list[Feature]) -> list[str]:
    """Codes the features name that are not built in, sorted."""
    return sorted({code for feature in features for code in feature.reasons} - BUILT_IN)
