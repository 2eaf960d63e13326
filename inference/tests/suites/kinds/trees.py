"""Single trees, forests, boosted trees of scikit-learn, and forests that find outliers."""

import numpy as np
from kind import LABEL, PROBABILITY, Kind, at, leaves, older, outliers, paths, paths_and_leaves, scores
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

NOZIPMAP = {"zipmap": False}
RAW = {"raw_scores": True, "zipmap": False}
PATH, LEAF = {"decision_path": True, "zipmap": False}, {"decision_leaf": True, "zipmap": False}
BOTH = PATH | LEAF
TREE, FOREST = {"max_depth": 5, "random_state": 1}, {"n_estimators": 10, "max_depth": 5, "random_state": 1}


def tree(**said):
    return DecisionTreeClassifier(**TREE | said)


def forest(**said):
    return RandomForestClassifier(**FOREST | said)


def boosted(**said):
    return GradientBoostingClassifier(n_estimators=15, random_state=1, **said)


def boosted_regressor(**said):
    return GradientBoostingRegressor(n_estimators=15, random_state=1, **said)


def hist(**said):
    return HistGradientBoostingClassifier(max_iter=15, random_state=1, **said)


def hist_regressor(**said):
    return HistGradientBoostingRegressor(max_iter=15, random_state=1, **said)


def no_zip(options):
    """The same for a regressor, which has no map to leave out."""
    return {name: value for name, value in options.items() if name != "zipmap"}


def filled_up(model, x):
    """The file gives the target of two classes a third, which nobody has."""
    three, two = model.predict_proba(x)
    return [(LABEL, model.predict(x)), (PROBABILITY, np.column_stack([three, two, np.zeros(len(x))]))]


TREES = [
    Kind("tree", tree(), x="raw"),
    Kind("tree_three", tree(), x="raw", y="three"),
    Kind("tree_text", tree(), x="raw", y="three_text", options=NOZIPMAP),
    Kind("tree_nocl", tree(), x="raw", y="two", options={"nocl": True}),
    Kind("tree_whole", tree(), x="whole"),
    Kind("tree_flags", tree(), x="flags"),
    Kind("tree_double", tree(), x="doubles", options=NOZIPMAP),
    Kind("tree_double_older", tree(), x="doubles", options=NOZIPMAP, export=older),
    Kind("tree_labels", tree(), x="raw", y="many_labels", options=NOZIPMAP, decided=None),
    Kind("tree_path", tree(), x="raw", options=PATH, says=paths),
    Kind("tree_leaf", tree(), x="raw", options=LEAF, says=leaves),
    Kind("tree_path_leaf", tree(), x="raw", y="three", options=BOTH, says=paths_and_leaves),
    Kind("tree_holed", tree(), x="holed"),
    Kind("extra_tree", ExtraTreeClassifier(**TREE), x="raw"),
    Kind("extra_tree_labels", ExtraTreeClassifier(**TREE), x="raw", y="many_labels", options=NOZIPMAP, decided=None),
    Kind("tree_regressor", DecisionTreeRegressor(**TREE), x="raw", y="amount"),
    Kind("tree_regressor_two", DecisionTreeRegressor(**TREE), x="raw", y="amounts"),
    Kind("tree_regressor_whole", DecisionTreeRegressor(**TREE), x="whole", y="amount"),
    Kind("tree_regressor_stump", DecisionTreeRegressor(max_depth=1), x="raw", y="amount"),
    Kind("tree_regressor_holed", DecisionTreeRegressor(**TREE), x="holed", y="amount"),
    Kind("tree_regressor_path", DecisionTreeRegressor(**TREE), x="raw", y="amount", options=no_zip(PATH), says=paths),
    Kind("tree_regressor_leaf", DecisionTreeRegressor(**TREE), x="raw", y="amount", options=no_zip(LEAF), says=leaves),
    Kind(
        "tree_regressor_path_leaf",
        DecisionTreeRegressor(**TREE),
        x="raw",
        y="amount",
        options=no_zip(BOTH),
        says=paths_and_leaves,
    ),
    Kind("extra_tree_regressor", ExtraTreeRegressor(**TREE), x="raw", y="amount"),
    Kind("extra_tree_regressor_flags", ExtraTreeRegressor(**TREE), x="flags", y="amount"),
]
FORESTS = [
    Kind("forest", forest(), x="raw"),
    Kind("forest_nozipmap", forest(), x="raw", options=NOZIPMAP),
    Kind("forest_three", forest(), x="raw", y="three"),
    Kind("forest_text", forest(), x="raw", y="three_text"),
    Kind("forest_nocl", forest(), x="raw", options={"nocl": True}),
    Kind("forest_whole", forest(), x="whole"),
    Kind("forest_flags", forest(), x="flags"),
    Kind("forest_double", forest(), x="doubles", options=NOZIPMAP),
    Kind("forest_double_older", forest(), x="doubles", options=NOZIPMAP, export=older),
    Kind("forest_holed", forest(), x="holed"),
    Kind("forest_labels", forest(), x="raw", y="many_labels", options=NOZIPMAP, decided=None),
    Kind("forest_two_targets", forest(), x="whole", y="two_targets", options=NOZIPMAP, decided=None, says=filled_up),
    Kind("forest_path", forest(n_estimators=3), x="raw", options=PATH, says=paths),
    Kind("forest_leaf", forest(), x="raw", options=LEAF, says=leaves),
    Kind("forest_path_leaf", forest(n_estimators=3), x="raw", options=BOTH, says=paths_and_leaves),
    Kind("forest_opset_9", forest(), x="raw", export=at(9)),
    Kind("forest_deep", RandomForestClassifier(30, random_state=1), x="raw"),
    Kind("extra_trees", ExtraTreesClassifier(**FOREST), x="raw"),
    Kind("extra_trees_whole", ExtraTreesClassifier(**FOREST), x="whole", y="three"),
    Kind("extra_trees_labels", ExtraTreesClassifier(**FOREST), x="raw", y="many_labels", options=NOZIPMAP, decided=None),
    Kind("extra_trees_path", ExtraTreesClassifier(**FOREST | {"n_estimators": 3}), x="raw", options=PATH, says=paths),
    Kind("forest_regressor", RandomForestRegressor(**FOREST), x="raw", y="amount"),
    Kind("forest_regressor_two", RandomForestRegressor(**FOREST), x="raw", y="amounts"),
    Kind("forest_regressor_whole", RandomForestRegressor(**FOREST), x="whole", y="amount"),
    Kind("forest_regressor_holed", RandomForestRegressor(**FOREST), x="holed", y="amount"),
    Kind(
        "forest_regressor_path",
        RandomForestRegressor(**FOREST | {"n_estimators": 3}),
        x="raw",
        y="amount",
        options=no_zip(PATH),
        says=paths,
    ),
    Kind("forest_regressor_leaf", RandomForestRegressor(**FOREST), x="raw", y="amount", options=no_zip(LEAF), says=leaves),
    Kind("extra_trees_regressor", ExtraTreesRegressor(**FOREST), x="raw", y="amount"),
    Kind("extra_trees_regressor_flags", ExtraTreesRegressor(**FOREST), x="flags", y="amount"),
    Kind("trees_embedding", RandomTreesEmbedding(5, max_depth=3, random_state=1, sparse_output=False), x="raw", y=None),
    Kind("isolation_forest", IsolationForest(n_estimators=20, random_state=1), x="raw", y=None, says=scores, export=older),
    Kind(
        "isolation_forest_scores",
        IsolationForest(n_estimators=20, random_state=1),
        x="raw",
        y=None,
        options={"score_samples": True},
        says=outliers,
        export=older,
    ),
    Kind(
        "isolation_forest_part",
        IsolationForest(n_estimators=20, contamination=0.1, max_samples=100, random_state=1),
        x="raw",
        y=None,
        says=scores,
        export=older,
    ),
]
BOOSTED = [
    Kind("gradient_boosting", boosted(), x="raw"),
    Kind("gradient_boosting_three", boosted(), x="raw", y="three"),
    Kind("gradient_boosting_text", boosted(), x="raw", y="three_text"),
    Kind("gradient_boosting_init_zero", boosted(init="zero"), x="raw"),
    Kind("gradient_boosting_init_zero_three", boosted(init="zero"), x="raw", y="three"),
    Kind("gradient_boosting_raw", boosted(), x="raw", options=RAW, says=scores),
    Kind("gradient_boosting_raw_three", boosted(), x="raw", y="three", options=RAW, says=scores),
    Kind("gradient_boosting_exponential", boosted(loss="exponential"), x="raw"),
    Kind("gradient_boosting_whole", boosted(), x="whole"),
    Kind("gradient_boosting_flags", boosted(), x="flags"),
    Kind("gradient_boosting_double", boosted(), x="doubles", options=NOZIPMAP),
    Kind("gradient_boosting_double_older", boosted(), x="doubles", options=NOZIPMAP, export=older),
    Kind("boosting_regressor", boosted_regressor(), x="raw", y="amount"),
    Kind("boosting_regressor_absolute", boosted_regressor(loss="absolute_error"), x="raw", y="amount"),
    Kind("boosting_regressor_huber", boosted_regressor(loss="huber"), x="raw", y="amount"),
    Kind("boosting_regressor_quantile", boosted_regressor(loss="quantile", alpha=0.8), x="raw", y="amount"),
    Kind("boosting_regressor_init_zero", boosted_regressor(init="zero"), x="raw", y="amount"),
    Kind("boosting_regressor_rate", boosted_regressor(learning_rate=0.3), x="raw", y="amount"),
    Kind("boosting_regressor_whole", boosted_regressor(), x="whole", y="amount"),
    Kind("hist", hist(), x="raw"),
    Kind("hist_holed", hist(), x="holed"),
    Kind("hist_three", hist(), x="raw", y="three"),
    Kind("hist_three_holed", hist(), x="holed", y="three"),
    Kind("hist_opset_11", hist(), x="holed", export=at(11)),
    Kind("hist_raw", hist(), x="raw", options=RAW, says=scores),
    Kind("hist_double", hist(), x="doubles", options=NOZIPMAP),
    Kind("hist_double_older", hist(), x="doubles", options=NOZIPMAP, export=older),
    Kind("hist_categorical", hist(categorical_features=[6]), x="coded"),
    Kind("hist_categorical_holed", hist(categorical_features=[6]), x="coded_holed"),
    Kind("hist_regressor", hist_regressor(), x="raw", y="amount"),
    Kind("hist_regressor_holed", hist_regressor(), x="holed", y="amount"),
    Kind("hist_regressor_double", hist_regressor(), x="doubles", y="amount"),
    Kind("hist_regressor_double_older", hist_regressor(), x="doubles", y="amount", export=older),
    Kind("hist_regressor_categorical", hist_regressor(categorical_features=[6]), x="coded", y="amount"),
    Kind("hist_regressor_poisson", hist_regressor(loss="poisson"), x="raw", y="counts"),
    Kind("hist_regressor_gamma", hist_regressor(loss="gamma"), x="raw", y="loss"),
    Kind("hist_regressor_quantile", hist_regressor(loss="quantile", quantile=0.8), x="raw", y="amount"),
]
KINDS = [*TREES, *FORESTS, *BOOSTED]
