"""Linear classifiers, regressors and generalised linear models, and nets of dense layers."""

from kind import LABEL, Kind, at, classes, first, scores, with_spread, without
from sklearn import linear_model as lm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.tree import DecisionTreeRegressor

NOZIPMAP = {"zipmap": False}
RAW = {"raw_scores": True, "zipmap": False}


def sgd(**said):
    return SGDClassifier(random_state=1, **said)


def mlp(**said):
    return MLPClassifier((12, 6), max_iter=60, random_state=1, **said)


def net(**said):
    return MLPRegressor(hidden_layer_sizes=(12, 6), max_iter=60, random_state=1, **said)


def columns(model, x):
    """An output for each class."""
    labels, (role, values) = classes(model, x)
    return [labels, *[(role, column) for column in values.T]]


def places(model, x):
    """The place of the class instead of its label."""
    (role, labels), probabilities = classes(model, x)
    return [(role, model.classes_.searchsorted(labels)), probabilities]


def with_labels(model, x):
    """A third output holds the labels themselves, once."""
    return [*classes(model, x), (LABEL, model.classes_)]


def ransac_of_trees(data):
    trees = DecisionTreeRegressor(max_depth=4, random_state=1)
    return lm.RANSACRegressor(trees, min_samples=50, random_state=1).fit(first(data.scaled), first(data.amount))


LOGISTIC = [
    Kind("logistic", LogisticRegression()),
    Kind("logistic_nozipmap", LogisticRegression(), options=NOZIPMAP),
    Kind("logistic_columns", LogisticRegression(), options={"zipmap": "columns"}, says=columns),
    Kind("logistic_raw", LogisticRegression(), options=RAW, says=scores),
    Kind("logistic_raw_three", LogisticRegression(), y="three", options=RAW, says=scores),
    Kind("logistic_text", LogisticRegression(), y="two_text"),
    Kind("logistic_flag_labels", LogisticRegression(), y="two_flags"),
    Kind("logistic_three", LogisticRegression(), y="three"),
    Kind("logistic_three_text", LogisticRegression(), y="three_text"),
    Kind("logistic_graded", LogisticRegression(), y="graded"),
    Kind("logistic_nocl", LogisticRegression(), y="three_text", options={"nocl": True}, says=places),
    Kind("logistic_class_labels", LogisticRegression(), options={"output_class_labels": True, "zipmap": False}, says=with_labels),
    Kind("logistic_double", LogisticRegression(), x="scaled64", options=NOZIPMAP),
    Kind("logistic_double_zipmap", LogisticRegression(), x="scaled64"),
    Kind("logistic_whole", LogisticRegression(max_iter=2000), x="whole"),
    Kind("logistic_flags", LogisticRegression(), x="flags"),
    Kind("logistic_no_intercept", LogisticRegression(fit_intercept=False)),
    Kind("logistic_liblinear_l1", LogisticRegression(solver="liblinear", l1_ratio=1.0, C=0.3)),
    Kind("logistic_saga_elastic", LogisticRegression(solver="saga", l1_ratio=0.5, max_iter=500), y="three"),
    Kind("logistic_cv", lm.LogisticRegressionCV(Cs=3, cv=3, use_legacy_attributes=False, l1_ratios=(0,))),
    Kind("logistic_cv_three", lm.LogisticRegressionCV(Cs=3, cv=3, use_legacy_attributes=False, l1_ratios=(0,)), y="three"),
    Kind("logistic_matrix", LogisticRegression(), export=without("LinearClassifier")),
    Kind("logistic_matrix_three", LogisticRegression(), y="three", export=without("LinearClassifier")),
    Kind("logistic_opset_9", LogisticRegression(), export=at(9)),
    Kind("logistic_unscaled", LogisticRegression(max_iter=3000), x="raw"),
]
OTHERS = [
    Kind("linear_discriminant", LinearDiscriminantAnalysis()),
    Kind("linear_discriminant_three", LinearDiscriminantAnalysis(), y="three", options=NOZIPMAP),
    Kind("linear_discriminant_raw", LinearDiscriminantAnalysis(), options=RAW, says=scores),
    Kind("qda", QuadraticDiscriminantAnalysis()),
    Kind("qda_three", QuadraticDiscriminantAnalysis(), y="three", options=NOZIPMAP),
    Kind("qda_text", QuadraticDiscriminantAnalysis(), y="three_text"),
    Kind("qda_double", QuadraticDiscriminantAnalysis(), x="scaled64", options=NOZIPMAP),
    Kind("ridge_classifier", lm.RidgeClassifier(), says=scores),
    Kind("ridge_classifier_three", lm.RidgeClassifier(), y="three", options=NOZIPMAP, says=scores),
    Kind("ridge_classifier_whole", lm.RidgeClassifier(), x="whole", says=scores),
    Kind("ridge_classifier_cv", lm.RidgeClassifierCV(), says=scores),
    Kind("ridge_classifier_cv_labels", lm.RidgeClassifierCV(), y="many_labels", says=scores, decided=None),
    Kind("perceptron", lm.Perceptron(random_state=1), says=scores),
    Kind("perceptron_three", lm.Perceptron(random_state=1), y="three", says=scores),
    Kind("perceptron_whole", lm.Perceptron(random_state=1), x="whole", says=scores),
    Kind("passive_aggressive", lm.PassiveAggressiveClassifier(random_state=1), says=scores),
    Kind("passive_aggressive_three", lm.PassiveAggressiveClassifier(random_state=1), y="three", says=scores),
    Kind("sgd_hinge", sgd(loss="hinge"), says=scores),
    Kind("sgd_hinge_three", sgd(loss="hinge"), y="three_text", says=scores),
    Kind("sgd_log", sgd(loss="log_loss")),
    Kind("sgd_log_three", sgd(loss="log_loss"), y="three"),
    Kind("sgd_log_raw", sgd(loss="log_loss"), options=RAW, says=scores),
    Kind("sgd_log_raw_three", sgd(loss="log_loss"), y="three", options=RAW, says=scores),
    Kind("sgd_log_double", sgd(loss="log_loss"), x="scaled64", options=NOZIPMAP),
    Kind("sgd_log_l1", sgd(loss="log_loss", penalty="l1", fit_intercept=False)),
    Kind("sgd_log_whole", sgd(loss="log_loss", alpha=0.01), x="whole"),
    Kind("sgd_modified_huber", sgd(loss="modified_huber")),
    Kind("sgd_modified_huber_three", sgd(loss="modified_huber"), y="three"),
    Kind("sgd_squared_hinge", sgd(loss="squared_hinge"), says=scores),
    Kind("sgd_perceptron", sgd(loss="perceptron"), says=scores),
    Kind("sgd_elastic", sgd(loss="modified_huber", penalty="elasticnet", learning_rate="invscaling", eta0=0.1, power_t=0.3)),
    Kind("dummy_prior", DummyClassifier(strategy="prior")),
    Kind("dummy_text", DummyClassifier(strategy="most_frequent"), y="three_text"),
    Kind("dummy_mean", DummyRegressor(), y="amount"),
]

# Regressors for which nothing is special.
PLAIN = {
    "linear": lm.LinearRegression(),
    "linear_no_intercept": lm.LinearRegression(fit_intercept=False),
    "ridge": lm.Ridge(),
    "ridge_cv": lm.RidgeCV(),
    "lasso": lm.Lasso(alpha=0.05),
    "lasso_cv": lm.LassoCV(cv=3),
    "elastic_net": lm.ElasticNet(alpha=0.05),
    "elastic_net_cv": lm.ElasticNetCV(cv=3),
    "lars": lm.Lars(),
    "lars_cv": lm.LarsCV(cv=3),
    "lasso_lars": lm.LassoLars(alpha=0.01),
    "lasso_lars_cv": lm.LassoLarsCV(cv=3),
    "lasso_lars_ic": lm.LassoLarsIC(),
    "orthogonal_pursuit": lm.OrthogonalMatchingPursuit(),
    "orthogonal_pursuit_cv": lm.OrthogonalMatchingPursuitCV(cv=3),
    "ard": lm.ARDRegression(),
    "bayesian_ridge": lm.BayesianRidge(),
    "huber": lm.HuberRegressor(),
    "theil_sen": lm.TheilSenRegressor(random_state=1),
    "quantile": lm.QuantileRegressor(quantile=0.7, alpha=0.01, solver="highs"),
    "passive_aggressive_regressor": lm.PassiveAggressiveRegressor(random_state=1),
    "sgd_regressor": SGDRegressor(random_state=1),
    "sgd_regressor_huber": SGDRegressor(random_state=1, loss="huber"),
    "ransac": lm.RANSACRegressor(random_state=1),
    "mlp_regressor": net(),
    "mlp_regressor_logistic": net(activation="logistic"),
    "mlp_regressor_tanh": net(activation="tanh"),
    "mlp_regressor_identity": net(activation="identity"),
}
SEVERAL = {
    "linear_two": lm.LinearRegression(),
    "ridge_two": lm.Ridge(),
    "multi_task_lasso": lm.MultiTaskLasso(alpha=0.05),
    "multi_task_lasso_cv": lm.MultiTaskLassoCV(cv=3),
    "multi_task_elastic_net": lm.MultiTaskElasticNet(alpha=0.05),
    "multi_task_elastic_net_cv": lm.MultiTaskElasticNetCV(cv=3),
    "mlp_regressor_two": net(),
    "pls_two": PLSRegression(n_components=3),
}
REGRESSORS = [
    *[Kind(name, model, y="amount") for name, model in PLAIN.items()],
    *[Kind(name, model, y="amounts") for name, model in SEVERAL.items()],
    Kind("linear_double", lm.LinearRegression(), x="doubles", y="amount"),
    Kind("linear_whole", lm.LinearRegression(), x="whole", y="amount"),
    Kind("linear_flags", lm.LinearRegression(), x="flags", y="amount"),
    Kind("linear_unscaled", lm.LinearRegression(), x="raw", y="amount"),
    Kind("linear_matrix", lm.LinearRegression(), y="amount", export=without("LinearRegressor")),
    Kind("linear_opset_9", lm.LinearRegression(), y="amount", export=at(9)),
    Kind("sgd_regressor_double", SGDRegressor(random_state=1), x="scaled64", y="amount"),
    Kind("mlp_regressor_double", net(), x="scaled64", y="amount"),
    Kind("pls", PLSRegression(n_components=2), y="amount"),
    Kind("pls_double", PLSRegression(n_components=2), x="doubles", y="amount"),
    Kind("pls_whole", PLSRegression(n_components=2), x="whole", y="amount"),
    Kind("bayesian_ridge_spread", lm.BayesianRidge(), y="amount", options={"return_std": True}, says=with_spread),
    Kind(
        "bayesian_ridge_spread_double",
        lm.BayesianRidge(),
        x="scaled64",
        y="amount",
        options={"return_std": True},
        says=with_spread,
    ),
    Kind("poisson", lm.PoissonRegressor(), y="counts"),
    Kind("poisson_no_intercept", lm.PoissonRegressor(fit_intercept=False), y="counts"),
    Kind("gamma", lm.GammaRegressor(), y="loss"),
    Kind("gamma_whole", lm.GammaRegressor(max_iter=500), x="whole", y="loss"),
    Kind("gamma_double", lm.GammaRegressor(), x="scaled64", y="loss"),
    Kind("tweedie", lm.TweedieRegressor(power=1.5, link="log"), y="counts"),
    Kind("tweedie_identity", lm.TweedieRegressor(power=0), y="amount"),
    Kind("ransac_trees", ransac_of_trees, y="amount"),
]


NETS = [
    Kind("mlp", mlp()),
    Kind("mlp_nozipmap", mlp(), options=NOZIPMAP),
    Kind("mlp_three", mlp(), y="three"),
    Kind("mlp_text", mlp(), y="three_text"),
    Kind("mlp_labels", mlp(), y="many_labels", options=NOZIPMAP, decided=None),
    Kind("mlp_logistic", mlp(activation="logistic"), y="three"),
    Kind("mlp_tanh", mlp(activation="tanh"), y="three"),
    Kind("mlp_identity", mlp(activation="identity"), y="three"),
    Kind("mlp_labels_tanh", mlp(activation="tanh"), y="many_labels", options=NOZIPMAP, decided=None),
    Kind("mlp_double", mlp(), x="scaled64", options=NOZIPMAP),
    Kind("mlp_tanh_double", mlp(activation="tanh"), x="scaled64", options=NOZIPMAP),
    Kind("mlp_byte_labels", mlp(), y="bytes"),
    Kind("mlp_opset_9", mlp(), y="three", export=at(9)),
    Kind("mlp_whole", mlp(), x="whole"),
]

KINDS = [*LOGISTIC, *OTHERS, *REGRESSORS, *NETS]
