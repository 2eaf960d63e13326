"""XGBoost and LightGBM by onnxmltools, alone and in pipelines, and CatBoost by its own exporter."""

from tempfile import TemporaryDirectory

import catboost
import lightgbm
import numpy as np
import onnx
import onnxmltools
import xgboost
from kind import LABEL, NUMBER, PROBABILITY, Kind, first, older, target
from onnxmltools.convert.common import data_types
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from skl2onnx import update_registered_converter
from skl2onnx.common import shape_calculator as shapes

X_SMALL = {"n_estimators": 12, "max_depth": 3, "n_jobs": 1, "random_state": 1}
L_SMALL = {"n_estimators": 12, "num_leaves": 7, "n_jobs": 1, "random_state": 1, "verbose": -1}
C_SMALL = {"iterations": 15, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 1}
TYPES = {"float32": data_types.FloatTensorType, "float64": data_types.DoubleTensorType, "int64": data_types.Int64TensorType}
ZIP = {"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False]}
REGISTERED = (
    (xgboost.XGBClassifier, "XGBClassifier", shapes.calculate_linear_classifier_output_shapes, convert_xgboost, ZIP),
    (xgboost.XGBRegressor, "XGBRegressor", shapes.calculate_linear_regressor_output_shapes, convert_xgboost, None),
    (lightgbm.LGBMClassifier, "LgbmClassifier", shapes.calculate_linear_classifier_output_shapes, convert_lightgbm, ZIP),
    (lightgbm.LGBMRegressor, "LgbmRegressor", shapes.calculate_linear_regressor_output_shapes, convert_lightgbm, None),
)
for library, name, shape, convert, options in REGISTERED:
    update_registered_converter(library, name, shape, convert, options=options)


def boosted_by(tool, library):
    """Kinds of a library whose converter is onnxmltools' own."""

    def export(model, x, options):
        kinds = [("X", TYPES[str(x.dtype)]([None, x.shape[1]]))]
        return tool(model, initial_types=kinds, **(options or {}))

    def kind(name, model, **said):
        return Kind(name, model, **{"x": "holed", "export": export, "library": library} | said)

    return kind


x_kind = boosted_by(onnxmltools.convert_xgboost, "XGBoost")
l_kind = boosted_by(onnxmltools.convert_lightgbm, "LightGBM")


def xgb(**said):
    return xgboost.XGBClassifier(**X_SMALL | said)


def xgb_regressor(**said):
    return xgboost.XGBRegressor(**X_SMALL | said)


def xgb_booster(objective, y, **said):
    def learned(data):
        rows = xgboost.DMatrix(first(data.raw), first(getattr(data, y)))
        return xgboost.train({"objective": objective, "max_depth": 3, "nthread": 1, **said}, rows, 10)

    return learned


def of_xgb_booster(model, x):
    """Labels and probabilities, where a booster gives probabilities only."""
    given = model.predict(xgboost.DMatrix(x))
    both = given if given.ndim == 2 else np.column_stack([1 - given, given])
    return [(LABEL, both.argmax(axis=1)), (PROBABILITY, both)]


def of_xgb_regressor(model, x):
    return [(NUMBER, model.predict(xgboost.DMatrix(x)))]


def named(data, **said):
    """XGBoost takes what it learned the types of from a frame only."""
    return xgb(**said).fit(first(data.coded_holed), first(data.two))


def stopped(data):
    """Fewer trees count than there are."""
    model = xgb(n_estimators=40, early_stopping_rounds=2, learning_rate=0.8)
    return model.fit(first(data.holed), first(data.two), eval_set=[(data.holed[300:400], data.two[300:400])], verbose=False)


XGBOOST = [
    x_kind("xgboost", xgb()),
    x_kind("xgboost_three", xgb(), y="three"),
    x_kind("xgboost_graded", xgb(objective="multi:softprob"), y="four"),
    x_kind("xgboost_softmax", xgb(objective="multi:softmax"), y="three"),
    x_kind("xgboost_reglog", xgb(objective="reg:logistic")),
    x_kind("xgboost_raw", xgb(objective="binary:logitraw")),
    x_kind("xgboost_hinge", xgb(objective="binary:hinge")),
    x_kind("xgboost_base_score", xgb(base_score=0.3)),
    x_kind("xgboost_three_base_score", xgb(base_score=0.3), y="three"),
    x_kind("xgboost_full", xgb(), x="raw"),
    x_kind("xgboost_whole", xgb(), x="whole"),
    x_kind("xgboost_zeros", xgb(missing=0.0), x="zeros"),
    x_kind("xgboost_one_tree", xgb(n_estimators=1, max_depth=1)),
    x_kind("xgboost_no_split", xgb(gamma=1e6)),
    x_kind("xgboost_early_stop", stopped),
    x_kind("xgboost_dart", xgb(booster="dart", rate_drop=0.2)),
    x_kind("xgboost_linear", xgboost.XGBClassifier(booster="gblinear", n_estimators=10, n_jobs=1), x="scaled"),
    x_kind("xgboost_categorical", lambda d: named(d, enable_categorical=True, feature_types=["q"] * 6 + ["c"]), x="coded_holed"),
    x_kind("xgboost_forest", xgboost.XGBRFClassifier(**X_SMALL)),
    x_kind("xgboost_regressor", xgb_regressor(), y="amount"),
    x_kind("xgboost_regressor_base_score", xgb_regressor(base_score=1.5), y="amount"),
    x_kind("xgboost_regressor_poisson", xgb_regressor(objective="count:poisson"), y="counts"),
    x_kind("xgboost_regressor_gamma", xgb_regressor(objective="reg:gamma"), y="loss"),
    x_kind("xgboost_regressor_tweedie", xgb_regressor(objective="reg:tweedie"), y="counts"),
    x_kind("xgboost_regressor_absolute", xgb_regressor(objective="reg:absoluteerror"), y="amount"),
    x_kind("xgboost_regressor_quantile", xgb_regressor(objective="reg:quantileerror", quantile_alpha=0.7), y="amount"),
    x_kind("xgboost_regressor_two", xgb_regressor(), y="amounts"),
    x_kind("xgboost_forest_regressor", xgboost.XGBRFRegressor(**X_SMALL), y="amount"),
    x_kind("xgboost_booster", xgb_booster("binary:logistic", "two"), x="raw", says=of_xgb_booster),
    x_kind("xgboost_booster_three", xgb_booster("multi:softprob", "three", num_class=3), x="raw", says=of_xgb_booster),
    x_kind("xgboost_booster_regressor", xgb_booster("reg:squarederror", "amount"), x="raw", says=of_xgb_regressor),
]


def lgbm(**said):
    return lightgbm.LGBMClassifier(**L_SMALL | said)


def lgbm_regressor(**said):
    return lightgbm.LGBMRegressor(**L_SMALL | said)


def lgbm_booster(objective, y, **said):
    def learned(data):
        settings = {"objective": objective, "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": 1, **said}
        return lightgbm.train(settings, lightgbm.Dataset(first(data.holed), first(getattr(data, y))), 10)

    return learned


def of_lgbm_booster(model, x):
    given = model.predict(x)
    both = given if given.ndim == 2 else np.column_stack([1 - given, given])
    return [(LABEL, both.argmax(axis=1)), (PROBABILITY, both)]


def categorical(model, y="two"):
    return lambda data: model.fit(first(data.coded), first(getattr(data, y)), categorical_feature=[6])


def ranked(data):
    model = lightgbm.LGBMRanker(**L_SMALL)
    return model.fit(first(data.holed), first(data.three), group=[20] * 15)


GROUPED = {"min_data_per_group": 5, "cat_smooth": 1.0, "max_cat_to_onehot": 1}
LIGHTGBM = [
    l_kind("lightgbm", lgbm()),
    l_kind("lightgbm_nozipmap", lgbm(), options={"zipmap": False}),
    l_kind("lightgbm_three", lgbm(), y="three"),
    l_kind("lightgbm_three_nozipmap", lgbm(), y="three", options={"zipmap": False}),
    l_kind("lightgbm_text", lgbm(), y="three_text"),
    l_kind("lightgbm_full", lgbm(), x="raw"),
    l_kind("lightgbm_double", lgbm(), x="doubles"),
    l_kind("lightgbm_whole", lgbm(), x="whole"),
    l_kind("lightgbm_one_against_all", lgbm(objective="multiclassova"), y="three"),
    l_kind("lightgbm_forest", lgbm(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7)),
    l_kind("lightgbm_dart", lgbm(boosting_type="dart")),
    l_kind("lightgbm_no_missing", lgbm(use_missing=False), x="raw"),
    l_kind("lightgbm_zero_as_missing", lgbm(zero_as_missing=True), x="zeros"),
    l_kind("lightgbm_zeros", lgbm(), x="zeros"),
    l_kind("lightgbm_categorical", categorical(lgbm(**GROUPED)), x="coded"),
    l_kind("lightgbm_no_split", lgbm(min_split_gain=1e6), x="raw"),
    l_kind("lightgbm_stump", lgbm(num_leaves=2, n_estimators=1)),
    l_kind("lightgbm_regressor", lgbm_regressor(), y="amount"),
    l_kind("lightgbm_regressor_double", lgbm_regressor(), x="doubles", y="amount"),
    l_kind("lightgbm_regressor_split", lgbm_regressor(n_estimators=30), y="amount", options={"split": 10}),
    l_kind("lightgbm_regressor_categorical", categorical(lgbm_regressor(**GROUPED), "amount"), x="coded"),
    *[
        l_kind(f"lightgbm_regressor_{objective}", lgbm_regressor(objective=objective), y=y)
        for objective, y in (
            ("poisson", "counts"),
            ("gamma", "loss"),
            ("tweedie", "counts"),
            ("quantile", "amount"),
            ("huber", "amount"),
        )
    ],
    l_kind("lightgbm_ranker", ranked, says=target),
    l_kind("lightgbm_booster", lgbm_booster("binary", "two"), says=of_lgbm_booster),
    l_kind("lightgbm_booster_nozipmap", lgbm_booster("binary", "two"), options={"zipmap": False}, says=of_lgbm_booster),
    l_kind("lightgbm_booster_three", lgbm_booster("multiclass", "three", num_class=3), says=of_lgbm_booster),
    l_kind("lightgbm_booster_regressor", lgbm_booster("regression", "amount"), says=target),
    l_kind("lightgbm_booster_cross_entropy", lgbm_booster("cross_entropy", "two"), says=target),
]


def of_catboost(model, x, options):
    """CatBoost writes files only."""
    with TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.onnx", format="onnx")
        return onnx.load(f"{folder}/model.onnx")


def c_kind(name, model, **said):
    return Kind(name, model, **{"x": "holed", "export": of_catboost, "library": "CatBoost"} | said)


def cat(**said):
    return catboost.CatBoostClassifier(**C_SMALL | said)


def cat_regressor(**said):
    return catboost.CatBoostRegressor(**C_SMALL | said)


def with_words(data):
    return cat(cat_features=[0, 1]).fit(first(data.words), first(data.two))


CATBOOST = [
    c_kind("catboost", cat()),
    c_kind("catboost_full", cat(), x="raw"),
    c_kind("catboost_text", cat(), y="two_text"),
    c_kind("catboost_three", cat(), y="three"),
    c_kind("catboost_three_text", cat(), y="three_text"),
    c_kind("catboost_one_against_all", cat(loss_function="MultiClassOneVsAll"), y="three"),
    c_kind("catboost_lossguide", cat(grow_policy="Lossguide", max_leaves=6)),
    c_kind("catboost_deep", cat(grow_policy="Depthwise")),
    c_kind("catboost_categorical", with_words, x="words"),
    c_kind("catboost_regressor", cat_regressor(), y="amount"),
    c_kind("catboost_regressor_poisson", cat_regressor(loss_function="Poisson"), y="counts"),
    c_kind("catboost_regressor_quantile", cat_regressor(loss_function="Quantile:alpha=0.7"), y="amount"),
    c_kind("catboost_regressor_two", cat_regressor(loss_function="MultiRMSE"), y="amounts"),
]


def norms():
    return ColumnTransformer([("a", Normalizer("l1"), [0, 1]), ("b", Normalizer("l2"), [2, 3])])


def piped(name, *steps, library, **said):
    return Kind(name, make_pipeline(*steps), **{"x": "raw", "export": older, "library": f"scikit-learn, {library}"} | said)


def words_and_numbers():
    from kinds.pipelines import columns, one_hot

    return columns(SimpleImputer(), one_hot())


PIPELINES = [
    piped("xgboost_pipeline", StandardScaler(), xgb(), library="XGBoost"),
    piped(
        "xgboost_pipeline_nozipmap", StandardScaler(), xgb(), library="XGBoost", options=lambda m: {id(m[-1]): {"zipmap": False}}
    ),
    piped("xgboost_pipeline_three", StandardScaler(), xgb(), y="three", library="XGBoost"),
    piped("xgboost_pipeline_regressor", StandardScaler(), xgb_regressor(), y="amount", library="XGBoost"),
    piped("xgboost_pipeline_imputed", SimpleImputer(), xgb(), x="holed", library="XGBoost"),
    piped("xgboost_columns", words_and_numbers(), xgb(), x="frame", library="XGBoost"),
    piped(
        "xgboost_stacking",
        norms(),
        StackingClassifier([("a", xgb()), ("b", xgb(max_depth=2))], cv=2),
        x="positive",
        library="XGBoost",
    ),
    piped("lightgbm_pipeline", StandardScaler(), lgbm(), library="LightGBM"),
    piped("lightgbm_pipeline_three", StandardScaler(), lgbm(), y="three", library="LightGBM"),
    piped("lightgbm_pipeline_regressor", StandardScaler(), lgbm_regressor(), y="amount", library="LightGBM"),
    piped("lightgbm_columns", words_and_numbers(), lgbm(), x="frame", library="LightGBM"),
]
KINDS = [*XGBOOST, *LIGHTGBM, *CATBOOST, *PIPELINES]
