"""Estimators of estimators: bagging, boosting, voting, stacking, calibration, several outputs, one against others, search."""

import numpy as np
from kind import LABEL, NUMBER, PROBABILITY, Kind, clusters, scores
from kinds.trees import boosted, boosted_regressor, forest, hist, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor

NOZIPMAP = {"zipmap": False}
RAW = {"raw_scores": True, "zipmap": False}
LOGISTIC = LogisticRegression()
SOME = {"n_estimators": 4, "random_state": 1}


def bag(estimator=None, **said):
    return BaggingClassifier(tree() if estimator is None else estimator, **SOME | said)


def bag_regressor(estimator=None, **said):
    return BaggingRegressor(DecisionTreeRegressor(max_depth=5) if estimator is None else estimator, **SOME | said)


def ada(estimator=None):
    return AdaBoostClassifier(tree(max_depth=2) if estimator is None else estimator, n_estimators=6, random_state=1)


def ada_regressor(estimator=None, **said):
    return AdaBoostRegressor(
        DecisionTreeRegressor(max_depth=3) if estimator is None else estimator, n_estimators=6, random_state=1, **said
    )


def sgd_log():
    return SGDClassifier(loss="log_loss", random_state=1)


def calibrated(estimator, method="sigmoid"):
    return CalibratedClassifierCV(estimator, method=method, cv=2)


def voting(how, **said):
    return VotingClassifier(
        [("logistic", LOGISTIC), ("bayes", GaussianNB()), ("tree", tree())], voting=how, **{"flatten_transform": False} | said
    )


def stack(**said):
    return StackingClassifier([("logistic", LOGISTIC), ("tree", tree())], cv=2, **said)


def stack_regressor(**said):
    return StackingRegressor([("linear", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=4))], cv=2, **said)


def votes(model, x):
    """Labels, and the share of votes that each class has."""
    said = model.transform(x)[:, :, None] == np.arange(len(model.classes_))
    weights = np.ones(said.shape[1]) if model.weights is None else model.weights
    return [(LABEL, model.predict(x)), (PROBABILITY, np.average(said, axis=1, weights=weights))]


def scores_of_each(model, x):
    """Labels, and the number of each class's estimator."""
    return [(LABEL, model.predict(x)), (NUMBER, np.column_stack([each.predict(x) for each in model.estimators_]))]


BAGS = [
    Kind("bagging", bag(), x="raw"),
    Kind("bagging_nozipmap", bag(), x="raw", options=NOZIPMAP),
    Kind("bagging_three", bag(), x="raw", y="three"),
    Kind("bagging_whole", bag(), x="whole", y="three"),
    Kind("bagging_features", bag(max_features=0.5), x="raw"),
    Kind("bagging_features_again", bag(bootstrap_features=True), x="raw"),
    Kind("bagging_sgd", bag(SGDClassifier(loss="hinge", random_state=1))),
    Kind("bagging_sgd_raw", bag(LOGISTIC), options=RAW, says=scores),
    Kind("bagging_sgd_raw_three", bag(LOGISTIC), y="three", options=RAW, says=scores),
    Kind("bagging_boosting", bag(boosted()), x="raw"),
    Kind("bagging_boosting_three", bag(boosted()), x="raw", y="three"),
    Kind("bagging_double", bag(LOGISTIC), x="scaled64", options=NOZIPMAP),
    Kind("bagging_regressor", bag_regressor(), x="raw", y="amount"),
    Kind("bagging_regressor_features", bag_regressor(max_features=0.5), x="raw", y="amount"),
    Kind("bagging_regressor_features_again", bag_regressor(bootstrap_features=True), x="raw", y="amount"),
    Kind("bagging_regressor_sgd", bag_regressor(SGDRegressor(random_state=1)), y="amount"),
    Kind("bagging_regressor_sgd_double", bag_regressor(SGDRegressor(random_state=1)), x="scaled64", y="amount"),
    Kind("bagging_regressor_boosting", bag_regressor(boosted_regressor()), x="raw", y="amount"),
    Kind("bagging_regressor_flags", bag_regressor(), x="flags", y="amount"),
]
ADAS = [
    Kind("ada_boost", ada(), x="raw"),
    Kind("ada_boost_three", ada(), x="raw", y="three"),
    Kind("ada_boost_logistic", ada(LOGISTIC)),
    Kind("ada_boost_raw", ada(), x="raw", options=RAW, says=scores),
    Kind("ada_boost_raw_three", ada(), x="raw", y="three", options=RAW, says=scores),
    Kind("ada_boost_flags", ada(), x="flags"),
    Kind("ada_boost_regressor", ada_regressor(), x="raw", y="amount"),
    Kind("ada_boost_regressor_linear", ada_regressor(LinearRegression()), y="amount"),
    Kind("ada_boost_regressor_whole", ada_regressor(), x="whole", y="amount"),
    Kind("ada_boost_regressor_rate", ada_regressor(learning_rate=0.5), x="raw", y="amount"),
    Kind("ada_boost_regressor_square", ada_regressor(loss="square"), x="raw", y="amount"),
]
CALIBRATED = [
    Kind("calibrated_sigmoid", calibrated(sgd_log())),
    Kind("calibrated_sigmoid_nozipmap", calibrated(sgd_log()), options=NOZIPMAP),
    Kind("calibrated_sigmoid_three", calibrated(GaussianNB()), y="three"),
    Kind("calibrated_sigmoid_whole", calibrated(LogisticRegression(max_iter=2000)), x="whole", y="three"),
    Kind("calibrated_isotonic", calibrated(GaussianNB(), "isotonic")),
    Kind("calibrated_isotonic_three", calibrated(GaussianNB(), "isotonic"), y="three"),
    Kind("calibrated_isotonic_knn", calibrated(KNeighborsClassifier(), "isotonic")),
    Kind("calibrated_multinomial", calibrated(MultinomialNB()), x="unit"),
    Kind("calibrated_logistic", calibrated(LOGISTIC)),
    Kind("calibrated_logistic_isotonic", calibrated(LOGISTIC, "isotonic")),
    Kind("calibrated_forest", calibrated(forest()), x="raw"),
    Kind("calibrated_forest_isotonic", calibrated(forest(), "isotonic"), x="raw"),
    Kind("calibrated_boosting", calibrated(boosted()), x="raw"),
    Kind("calibrated_hist", calibrated(hist()), x="raw"),
    Kind("calibrated_tree", calibrated(tree()), x="raw"),
    Kind("calibrated_svc", calibrated(SVC())),
    Kind("calibrated_svc_three", calibrated(SVC()), y="three"),
    Kind("calibrated_linear_svc", calibrated(LinearSVC(random_state=1))),
    Kind("calibrated_linear_svc_three", calibrated(LinearSVC(random_state=1), "isotonic"), y="three"),
    Kind("calibrated_pipeline", calibrated(make_pipeline(StandardScaler(), LogisticRegression())), x="raw"),
    Kind("calibrated_double", calibrated(LOGISTIC), x="scaled64", options=NOZIPMAP),
    Kind("calibrated_isotonic_double", calibrated(LOGISTIC, "isotonic"), x="scaled64", options=NOZIPMAP),
    Kind("calibrated_temperature", calibrated(LOGISTIC, "temperature")),
]
VOTES = [
    Kind("voting_hard", voting("hard"), says=votes),
    Kind("voting_hard_weighted", voting("hard", weights=np.array([3, 1, 2])), says=votes),
    Kind("voting_hard_three", voting("hard"), y="three", says=votes),
    Kind("voting_soft", voting("soft")),
    Kind("voting_soft_weighted", voting("soft", weights=np.array([3, 1, 2]))),
    Kind("voting_soft_three", voting("soft"), y="three"),
    Kind("voting_soft_text", voting("soft"), y="three_text"),
    Kind("voting_soft_flat", voting("soft", flatten_transform=True), options=NOZIPMAP),
    Kind("voting_soft_double", voting("soft"), x="scaled64", options=NOZIPMAP),
    Kind(
        "voting_regressor",
        VotingRegressor([("linear", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=4))]),
        y="amount",
    ),
    Kind(
        "voting_regressor_whole",
        VotingRegressor([("a", LinearRegression()), ("b", Ridge())], weights=np.array([1, 3])),
        x="whole",
        y="amount",
    ),
    Kind("voting_regressor_double", VotingRegressor([("a", LinearRegression()), ("b", Ridge())]), x="scaled64", y="amount"),
]
STACKS = [
    Kind("stacking", stack()),
    Kind("stacking_passthrough", stack(passthrough=True)),
    Kind("stacking_nozipmap", stack(), options=NOZIPMAP),
    Kind("stacking_three", stack(), y="three"),
    Kind("stacking_scores", StackingClassifier([("svc", LinearSVC(random_state=1)), ("tree", tree())], cv=2)),
    Kind("stacking_double", stack(), x="scaled64", options=NOZIPMAP),
    Kind("stacking_regressor", stack_regressor(), y="amount"),
    Kind("stacking_regressor_passthrough", stack_regressor(passthrough=True), y="amount"),
]
SEVERAL = [
    Kind("multi_output_regressor", MultiOutputRegressor(Ridge()), y="amounts"),
    Kind("multi_output_regressor_trees", MultiOutputRegressor(boosted_regressor()), x="raw", y="amounts"),
    Kind("multi_output_classifier", MultiOutputClassifier(LOGISTIC), y="many_labels", decided=None),
    Kind(
        "multi_output_classifier_nozipmap",
        MultiOutputClassifier(tree()),
        x="raw",
        y="two_targets",
        options=lambda m: {id(m): NOZIPMAP},
        decided=None,
    ),
    Kind("classifier_chain", ClassifierChain(LOGISTIC), y="many_labels", decided=None),
    Kind("regressor_chain", RegressorChain(Ridge()), y="amounts"),
    Kind("one_vs_rest", OneVsRestClassifier(LOGISTIC), y="three"),
    Kind("one_vs_rest_two", OneVsRestClassifier(LOGISTIC)),
    Kind("one_vs_rest_two_nozipmap", OneVsRestClassifier(LOGISTIC), options=NOZIPMAP),
    Kind("one_vs_rest_text", OneVsRestClassifier(LOGISTIC), y="three_text"),
    Kind("one_vs_rest_raw", OneVsRestClassifier(LOGISTIC), y="three", options=RAW, says=scores),
    Kind("one_vs_rest_raw_two", OneVsRestClassifier(LOGISTIC), options=RAW, says=scores),
    Kind("one_vs_rest_linear_svc", OneVsRestClassifier(LinearSVC(random_state=1)), y="three", says=scores),
    Kind("one_vs_rest_forest", OneVsRestClassifier(forest()), x="raw", y="three"),
    Kind("one_vs_rest_labels", OneVsRestClassifier(forest()), x="raw", y="many_labels", options=NOZIPMAP, decided=None),
    Kind("one_vs_rest_constant", OneVsRestClassifier(LOGISTIC), y="constant_label", options=NOZIPMAP, decided=None),
    Kind("one_vs_rest_whole", OneVsRestClassifier(tree()), x="whole", y="three"),
    Kind("one_vs_rest_mlp", OneVsRestClassifier(MLPClassifier((6,), max_iter=30, random_state=1)), y="three"),
    Kind("one_vs_rest_regressor", OneVsRestClassifier(Ridge()), y="three", says=scores_of_each),
    Kind("one_vs_rest_double", OneVsRestClassifier(LOGISTIC), x="scaled64", y="three", options=NOZIPMAP),
    Kind("one_vs_one", OneVsOneClassifier(LOGISTIC), y="four", says=scores),
    Kind("one_vs_one_linear_svc", OneVsOneClassifier(LinearSVC(random_state=1)), y="four", says=scores),
    Kind("one_vs_one_trees", OneVsOneClassifier(tree()), x="raw", y="four", says=scores),
    Kind("one_vs_one_double", OneVsOneClassifier(LOGISTIC), x="scaled64", y="three", says=scores, options=NOZIPMAP),
]
SEARCHED = [
    Kind("search_logistic", GridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=2)),
    Kind("search_nozipmap", GridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=2), options=NOZIPMAP),
    Kind("search_trees_three", GridSearchCV(tree(), {"max_depth": [2, 4]}, cv=2), x="raw", y="three"),
    Kind("search_whole", GridSearchCV(tree(), {"max_depth": [2, 4]}, cv=2), x="whole"),
    Kind("search_svc", GridSearchCV(SVC(probability=True, random_state=1), {"C": [0.5, 1.0]}, cv=2)),
    Kind("search_regressor", GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2), y="amount"),
    Kind(
        "search_process",
        GridSearchCV(GaussianProcessRegressor(optimizer=None), {"alpha": [0.5, 1.0]}, cv=2),
        x="scaled64",
        y="amount",
    ),
    Kind(
        "search_k_means",
        GridSearchCV(KMeans(n_init=2, random_state=1), {"n_clusters": [3, 4]}, cv=2),
        y=None,
        says=clusters,
        decided="smallest",
    ),
    Kind("tuned_threshold", TunedThresholdClassifierCV(LOGISTIC, cv=2, random_state=1), decided=None),
    Kind("fixed_threshold", FixedThresholdClassifier(LOGISTIC, threshold=0.3), decided=0.3),
]
KINDS = [*BAGS, *ADAS, *CALIBRATED, *VOTES, *STACKS, *SEVERAL, *SEARCHED]
