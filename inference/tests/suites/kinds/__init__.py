"""Every kind, by family; and which of them a quick run takes."""

import argparse
from pathlib import Path

from kind import Kind
from kinds import bayes, boosters, distances, ensembles, linear, pipelines, preparing, svm, text, trees

FAMILIES = (linear, svm, bayes, distances, trees, ensembles, preparing, text, pipelines, boosters)
ALL: list[Kind] = [kind for family in FAMILIES for kind in family.KINDS]

# One or more of each family of operators.
SMALL = set(
    """
    logistic logistic_nozipmap logistic_three_text logistic_double linear poisson mlp_three
    svc svc_three_probability qda multinomial_nb
    knn knn_regressor_distance gaussian_process lof
    forest forest_holed hist_categorical gradient_boosting_three isolation_forest
    calibrated_isotonic stacking voting_soft
    one_hot_words imputer_median knn_imputer tfidf
    column_transformer_logistic xgboost lightgbm catboost
    """.split()
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Says which kinds, and where they stand."""
    parser.add_argument("--out", type=Path, required=True, help="where kinds stand, one folder each")
    parser.add_argument("--set", choices=("small", "full"), default="full", help="which kinds")
    parser.add_argument("--kind", action="append", default=[], metavar="KIND", help="only this one; as often as needed")


def chosen(said: argparse.Namespace) -> list[Kind]:
    """The kinds that were asked for, in their order."""
    names = [kind.name for kind in ALL]
    doubles = {name for name in names if names.count(name) > 1}
    unknown = sorted((set(said.kind) | SMALL) - set(names))
    if doubles or unknown:
        raise SystemExit(f"there is no kind {', '.join(unknown)}" if unknown else f"two kinds are called {', '.join(doubles)}")
    if said.kind:
        return [kind for kind in ALL if kind.name in said.kind]
    return [kind for kind in ALL if said.set == "full" or kind.name in SMALL]
