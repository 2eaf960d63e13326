"""Neighbours, Gaussian processes and what else measures distances to the rows that were learned."""

from kind import LABEL, PROBABILITY, Kind, at, neighbours, outliers, scores, with_spread
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process import kernels as k
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestNeighbors,
    NeighborhoodComponentsAnalysis,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)

NOZIPMAP = {"zipmap": False}
CDIST = {"optim": "cdist"}


def places(model, x):
    """The place of the class instead of its label."""
    return [(LABEL, model.classes_.searchsorted(model.predict(x))), (PROBABILITY, model.predict_proba(x))]


KNN = [
    Kind("knn", KNeighborsClassifier()),
    Kind("knn_nozipmap", KNeighborsClassifier(), options=NOZIPMAP),
    Kind("knn_three", KNeighborsClassifier(7), y="three"),
    Kind("knn_text", KNeighborsClassifier(), y="three_text"),
    Kind("knn_distance", KNeighborsClassifier(weights="distance")),
    Kind("knn_city_block", KNeighborsClassifier(metric="cityblock")),
    Kind("knn_whole", KNeighborsClassifier(), x="whole"),
    Kind("knn_double", KNeighborsClassifier(), x="scaled64", options=NOZIPMAP),
    Kind("knn_labels", KNeighborsClassifier(), y="many_labels", options=NOZIPMAP, decided=None),
    Kind("knn_two_targets", KNeighborsClassifier(), y="two_targets", options=NOZIPMAP, decided=None),
    Kind("knn_opset_9", KNeighborsClassifier(), export=at(9)),
    Kind("knn_opset_11", KNeighborsClassifier(), export=at(11)),
    Kind("knn_nocl", KNeighborsClassifier(), y="three_text", options={"nocl": True}, says=places),
    Kind("knn_cdist", KNeighborsClassifier(), options=lambda m: {id(m): {"optim": "cdist"}}),
    Kind("knn_regressor", KNeighborsRegressor(), y="amount"),
    Kind("knn_regressor_one", KNeighborsRegressor(1), y="amount"),
    Kind("knn_regressor_distance", KNeighborsRegressor(weights="distance"), y="amount"),
    Kind("knn_regressor_minkowski", KNeighborsRegressor(p=3), y="amount"),
    Kind("knn_regressor_whole", KNeighborsRegressor(), x="whole", y="amount"),
    Kind("knn_regressor_double", KNeighborsRegressor(), x="scaled64", y="amount"),
    Kind("knn_regressor_two", KNeighborsRegressor(), y="amounts"),
    Kind("knn_regressor_two_distance", KNeighborsRegressor(weights="distance"), y="amounts"),
    Kind("radius", RadiusNeighborsClassifier(3.0, outlier_label=0)),
    Kind("radius_three", RadiusNeighborsClassifier(3.0, outlier_label=1), y="three"),
    Kind("radius_regressor", RadiusNeighborsRegressor(6.0), y="amount"),
    Kind("radius_regressor_distance", RadiusNeighborsRegressor(6.0, weights="distance"), y="amount"),
    Kind("nearest", NearestNeighbors(n_neighbors=3, radius=None), y=None, says=neighbours, decided=None),
    Kind("knn_transformer", KNeighborsTransformer(n_neighbors=4), y=None),
    Kind("knn_transformer_links", KNeighborsTransformer(n_neighbors=3, mode="connectivity"), y=None),
    Kind("nca", NeighborhoodComponentsAnalysis(random_state=1, max_iter=10), y="three"),
    Kind("nca_double", NeighborhoodComponentsAnalysis(n_components=2, random_state=1, max_iter=5), x="scaled64", y="three"),
    Kind("nca_whole", NeighborhoodComponentsAnalysis(init="pca", random_state=1, max_iter=5), x="whole", y="three"),
]


def lof(**said):
    return LocalOutlierFactor(novelty=True, **said)


OUTLIERS = [
    Kind("lof", lof(), y=None, says=scores),
    Kind("lof_scores", lof(), y=None, options={"score_samples": True}, says=outliers),
    Kind("lof_double", lof(), x="scaled64", y=None, says=scores),
    Kind("lof_p3", lof(p=3), y=None, says=scores),
    Kind("lof_city_block", lof(metric="cityblock"), y=None, says=scores),
    Kind("lof_cosine", lof(metric="cosine"), y=None, says=scores),
    Kind("lof_cdist", lof(), y=None, options=lambda m: {id(m): CDIST}, says=scores),
]


def process(kernel, **said):
    return GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None, **said)


KERNELS = {
    "constant": k.ConstantKernel(2.0),
    "rbf": k.ConstantKernel(1.5) * k.RBF(1.5),
    "rbf_each": k.RBF([1.0, 2.0, 1.5, 3.0, 1.0, 2.0]),
    "rbf_sum": k.RBF(1.5) + k.ConstantKernel(0.5),
    "dot": k.DotProduct(),
    "quadratic": k.RationalQuadratic(1.2, 0.8),
    "white": k.RBF(2.0) + k.WhiteKernel(0.2),
    "matern": k.Matern(1.5, nu=1.5),
    "matern_half": k.Matern(1.5, nu=0.5),
    "matern_25": k.Matern(1.5, nu=2.5),
    "cosine": k.PairwiseKernel(metric="cosine"),
}
PROCESSES = [
    *[Kind(f"gaussian_process_{name}", process(kernel), x="scaled64", y="amount") for name, kernel in KERNELS.items()],
    Kind("gaussian_process_sine", process(k.ExpSineSquared(1.5, 5.0)), x="one64", y="amount"),
    Kind("gaussian_process", process(None), y="amount"),
    Kind("gaussian_process_float", process(k.RBF(2.0)), y="amount"),
    Kind("gaussian_process_normal", process(k.RBF(2.0), normalize_y=True), x="scaled64", y="amount"),
    Kind("gaussian_process_two", process(k.RBF(2.0)), x="scaled64", y="amounts"),
    Kind(
        "gaussian_process_fitted", GaussianProcessRegressor(k.RBF() + k.WhiteKernel(), random_state=1), x="scaled64", y="amount"
    ),
    Kind(
        "gaussian_process_spread", process(k.RBF(2.0)), x="scaled64", y="amount", options={"return_std": True}, says=with_spread
    ),
    Kind(
        "gaussian_process_spread_sine",
        process(k.ExpSineSquared(1.5, 5.0)),
        x="one64",
        y="amount",
        options={"return_std": True},
        says=with_spread,
    ),
    Kind("gaussian_process_cdist", process(k.RBF(2.0)), x="scaled64", y="amount", options=lambda m: {id(m): CDIST}),
    Kind("gaussian_process_classifier", GaussianProcessClassifier(k.RBF(2.0), optimizer=None), decided=0.5),
    Kind("gaussian_process_classifier_double", GaussianProcessClassifier(k.RBF(2.0), optimizer=None), x="scaled64", decided=0.5),
]
KINDS = [*KNN, *OUTLIERS, *PROCESSES]
