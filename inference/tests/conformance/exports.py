"""Stock exports, unedited, each with ten thousand rows, onnxruntime's answers and those of the library that was exported: NaN
and infinities where the library takes them, and for trees rows whose values equal thresholds or are the floats beside them.
Models are small, since parity is no matter of size."""

import warnings
from pathlib import Path

import cases
import catboost
import lightgbm
import net_rows
import numpy as np
import onnx
import onnxmltools
import pandas
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

ROWS = 10_000
TRAINED_ON = 1_500
WIDTH = 8
# How far an answer may be from onnxruntime's. These two are no probabilities but sums over hundreds of support vectors, which
# onnxruntime makes in single precision.
MOST = {"svc_three": 1e-5, "svr": 1e-5}
FIXTURES = Path(__file__).parent / "fixtures"


class Data:
    """Features of small multiples of an eighth, so that thresholds are met exactly; a default that depends on some."""

    def __init__(self):
        self.rng = rng = np.random.default_rng(5)
        self.x = (np.round(rng.normal(size=(ROWS, WIDTH)) * 8) / 8).astype(np.float32)
        self.x[:, 7] = rng.integers(0, 6, ROWS)
        margin = self.x[:, 0] + self.x[:, 1] * self.x[:, 2] + (self.x[:, 7] % 2) + rng.normal(size=ROWS) / 2
        self.y = (margin > 0.5).astype(np.int64)
        self.three = np.digitize(margin, [-0.5, 1.0])
        self.target = margin.astype(np.float32)
        self.holed = self.x.copy()
        self.holed[rng.random(self.x.shape) < 0.08] = np.nan
        self.wild = self.holed.copy()
        self.wild[rng.random(self.x.shape) < 0.01] = np.inf
        self.wild[rng.random(self.x.shape) < 0.01] = -np.inf
        self.text = rng.choice(["own", "rent", "other", "ümlaut"], ROWS).astype(object)
        self.flag = rng.choice(["y", "n"], ROWS).astype(object)

    def fitted(self, model, x=None, y=None):
        x = self.x if x is None else x
        return model.fit(x[:TRAINED_ON], (self.y if y is None else y)[:TRAINED_ON])


def write(out: Path) -> int:
    warnings.filterwarnings("ignore")
    out.mkdir(parents=True)
    data = Data()
    count = 0
    for part in (scikit_trees, scikit_others, pipelines, boosters, nets):
        for name, model, feeds, own in part(data):
            names = [value.name for value in model.graph.input]
            if not isinstance(feeds, dict):
                feeds = {names[0]: on_thresholds(model, feeds)}
            given = [feeds[name] for name in names]
            answers = cases.answers(model, feeds)
            natives = own and [shaped(*each) for each in zip(own(feeds if len(names) > 1 else given[0]), answers, strict=True)]
            cases.write(out / name, model, given, answers, natives, most=MOST.get(name, 1e-6))
            count += 1
    return count


def on_thresholds(model, x):
    """Where there are trees: a third of the rows with a value moved onto a threshold, or onto a float beside it."""
    places = [place for node in model.graph.node if "TreeEnsemble" in node.op_type for place in questions(node)]
    if not places or x.dtype != np.float32:
        return x
    draw, x = np.random.default_rng(7), x.copy()
    for row in range(0, len(x), 3):
        feature, threshold = places[draw.integers(len(places))]
        x[row, feature] = [threshold, *np.nextafter(np.float32(threshold), np.float32([-np.inf, np.inf]))][row // 3 % 3]
    return x


def questions(node):
    """The features that an ensemble asks for, with their thresholds as the export has them."""
    said = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    asked = zip(said["nodes_modes"], said["nodes_featureids"], said["nodes_values"], strict=True)
    return [(feature, np.float32(value)) for mode, feature, value in asked if mode in (b"BRANCH_LEQ", b"BRANCH_LT")]


def classes(model):
    """A classifier's own labels and probabilities."""
    return lambda x: [model.predict(x), model.predict_proba(x)]


def scores(model):
    """A classifier's own labels, and its decision values as far as the export gives the same ones."""
    return lambda x: [model.predict(x), model.decision_function(x)]


def target(model):
    """A regressor's own answers."""
    return lambda x: [model.predict(x)]


def finite(own):
    """XGBoost refuses infinities: not a number in place of its answers to such rows."""
    def answers(x):
        refused = np.isinf(x).any(axis=1)
        given = own(np.where(refused[:, None], np.float32(0), x))
        floats = [np.where(refused.reshape(-1, *[1] * (each.ndim - 1)), np.nan, each) for each in given[-1:]]
        return [*given[:-1], *floats]

    return answers


def shaped(native, answer):
    """A library's answer in the shape and kind of the export's, numbers in double precision."""
    if np.issubdtype(answer.dtype, np.floating):
        native = np.asarray(native, np.float64)
        if native.size * 2 == answer.size:  # one decision value for two columns
            native = np.stack([-native, native], axis=1)
        return native.reshape(answer.shape)
    return np.asarray(native).reshape(answer.shape).astype(answer.dtype)


def scikit_trees(data):
    forest = {"n_estimators": 12, "max_depth": 6, "random_state": 1}
    x, d = data.x, data
    yield exported("random_forest", d.fitted(RandomForestClassifier(**forest)), x)
    yield exported("random_forest_three", d.fitted(RandomForestClassifier(**forest), y=d.three), x)
    text = np.array(["good", "bad"], object)[d.y]
    yield exported("random_forest_text_labels", d.fitted(RandomForestClassifier(**forest), y=text), x)
    yield exported("extra_trees", d.fitted(ExtraTreesClassifier(**forest)), x, options={"zipmap": False})
    histogram = d.fitted(HistGradientBoostingClassifier(max_iter=20), d.holed)
    yield exported("histogram_gradient_boosting", histogram, d.wild)
    histogram = d.fitted(HistGradientBoostingClassifier(max_iter=10), d.holed, d.three)
    yield exported("histogram_gradient_boosting_three", histogram, d.wild)
    yield exported("gradient_boosting", d.fitted(GradientBoostingClassifier(n_estimators=30)), x)
    yield exported("gradient_boosting_three", d.fitted(GradientBoostingClassifier(n_estimators=10), y=d.three), x)
    yield exported("random_forest_regressor", d.fitted(RandomForestRegressor(**forest), y=d.target), x, own=target)
    yield exported("gradient_boosting_regressor", d.fitted(GradientBoostingRegressor(n_estimators=20), y=d.target), x, own=target)


def exported(name, model, x, own=classes, **said):
    """A case of scikit-learn's."""
    return name, to_onnx(model, x[:1], **said), x, own(model)


def scikit_others(data):
    x, d = data.x, data
    yield exported("logistic_regression", d.fitted(LogisticRegression()), x)
    yield exported("logistic_regression_three", d.fitted(LogisticRegression(), y=d.three), x)
    yield exported("linear_regression", d.fitted(LinearRegression(), y=d.target), x, own=target)
    yield exported("mlp", d.fitted(MLPClassifier((24, 12), max_iter=15, random_state=1)), x)
    yield exported("mlp_three", d.fitted(MLPClassifier((16,), max_iter=15, random_state=1), y=d.three), x)
    few = Data()
    few.x, few.y, few.three, few.target = x[:400], d.y[:400], d.three[:400], d.target[:400]
    yield exported("svc", few.fitted(SVC()), x, own=scores)
    yield exported("svc_probability", few.fitted(SVC(probability=True, random_state=1)), x)
    yield exported("svc_three_probability", few.fitted(SVC(probability=True, random_state=1), y=few.three), x)
    yield exported("svc_three", few.fitted(SVC(kernel="poly"), y=few.three), x, own=scores)
    yield exported("svr", few.fitted(SVR(), y=few.target), x, own=target)
    yield exported("linear_svc", few.fitted(LinearSVC()), x, own=scores)
    for method in ("sigmoid", "isotonic"):
        calibrated = CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=8), cv=2, method=method)
        yield exported(f"calibrated_{method}", d.fitted(calibrated), x)
    yield exported("calibrated_logistic", d.fitted(CalibratedClassifierCV(LogisticRegression(), cv=3)), x)


def pipelines(data):
    d = data
    numbers = [f"f{index}" for index in range(WIDTH)]
    frame = pandas.DataFrame(d.holed, columns=numbers).assign(home=d.text, flag=d.flag)
    kinds = [(name, FloatTensorType([None, 1])) for name in numbers]
    kinds += [(name, StringTensorType([None, 1])) for name in ("home", "flag")]
    feeds = {name: frame[[name]].to_numpy(np.float32 if name in numbers else object) for name in frame.columns}
    imputed = make_pipeline(SimpleImputer(), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore")
    prepared = ColumnTransformer([("numbers", imputed, numbers), ("text", one_hot, ["home", "flag"])])
    fitted = make_pipeline(prepared, LogisticRegression()).fit(frame[:TRAINED_ON], d.y[:TRAINED_ON])
    yield "pipeline_one_hot", to_onnx(fitted, initial_types=kinds), feeds, of_frame(fitted)
    unseen = {**feeds, "home": np.where(np.arange(ROWS)[:, None] % 7 == 0, "unseen", feeds["home"]).astype(object)}
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    robust = make_pipeline(SimpleImputer(strategy="median"), RobustScaler())
    prepared = ColumnTransformer([("numbers", robust, numbers), ("text", ordinal, ["home", "flag"])])
    trees = RandomForestClassifier(8, max_depth=5, random_state=1)
    fitted = make_pipeline(prepared, trees).fit(frame[:TRAINED_ON], d.y[:TRAINED_ON])
    yield "pipeline_ordinal", to_onnx(fitted, initial_types=kinds), unseen, of_frame(fitted)
    ranged = make_pipeline(SimpleImputer(strategy="most_frequent"), MinMaxScaler())
    prepared = ColumnTransformer([("numbers", ranged, list(range(7))), ("category", one_hot, [7])])
    fitted = d.fitted(make_pipeline(prepared, LogisticRegression()))
    yield "pipeline_numbers", to_onnx(fitted, d.x[:1]), filled_last(d), classes(fitted)
    yield exported("pipeline_normalizer", d.fitted(make_pipeline(StandardScaler(), Normalizer(), LogisticRegression())), d.x)
    wide = d.x.astype(np.float64)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(wide[:TRAINED_ON], d.y[:TRAINED_ON])
    kinds = [("x", DoubleTensorType([None, WIDTH]))]
    yield "pipeline_double", to_onnx(fitted, initial_types=kinds, options={"zipmap": False}), wide, classes(fitted)
    whole = (d.x * 8).astype(np.int64)
    trees = RandomForestClassifier(8, max_depth=5, random_state=1).fit(whole[:TRAINED_ON], d.y[:TRAINED_ON])
    kinds = [("x", Int64TensorType([None, WIDTH]))]
    yield "whole_numbers", to_onnx(trees, initial_types=kinds), whole, classes(trees)
    calibrated = CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=2)
    yield exported("pipeline_calibrated", d.fitted(calibrated), d.x)


def of_frame(model):
    """A pipeline's own answers to columns that are fed by name."""
    return lambda feeds: classes(model)(pandas.DataFrame({name: column[:, 0] for name, column in feeds.items()}))


def filled_last(data):
    """Holes everywhere but in the category, which has no place for them."""
    x = data.holed.copy()
    x[:, 7] = data.x[:, 7]
    return x


def boosters(data):
    d, kinds = data, [("x", ToolsFloats([None, WIDTH]))]
    small = {"n_estimators": 30, "max_depth": 4}
    convert = onnxmltools.convert_xgboost
    fitted = d.fitted(xgboost.XGBClassifier(**small), d.holed)
    yield "xgboost", convert(fitted, initial_types=kinds), d.wild, finite(classes(fitted))
    fitted = d.fitted(xgboost.XGBClassifier(**small), d.holed, d.three)
    yield "xgboost_three", convert(fitted, initial_types=kinds), d.wild, finite(classes(fitted))
    fitted = d.fitted(xgboost.XGBRegressor(**small), d.holed, d.target)
    yield "xgboost_regressor", convert(fitted, initial_types=kinds), d.wild, finite(target(fitted))
    small |= {"verbose": -1, "n_jobs": 1}
    convert = onnxmltools.convert_lightgbm
    fitted = d.fitted(lightgbm.LGBMClassifier(**small), d.holed)
    yield "lightgbm", convert(fitted, initial_types=kinds), d.wild, classes(fitted)
    yield "lightgbm_tensor", convert(fitted, initial_types=kinds, zipmap=False), d.wild, classes(fitted)
    fitted = d.fitted(lightgbm.LGBMClassifier(**small), d.holed, d.three)
    yield "lightgbm_three", convert(fitted, initial_types=kinds), d.wild, classes(fitted)
    fitted = d.fitted(lightgbm.LGBMRegressor(**small), d.holed, d.target)
    yield "lightgbm_regressor", convert(fitted, initial_types=kinds), d.wild, target(fitted)
    sets = {**small, "min_data_per_group": 5, "cat_smooth": 1.0, "max_cat_to_onehot": 1}
    fitted = lightgbm.LGBMClassifier(**sets)
    fitted.fit(d.x[:TRAINED_ON], d.y[:TRAINED_ON], categorical_feature=[7])
    yield "lightgbm_categorical", convert(fitted, initial_types=kinds), d.x, classes(fitted)
    few = {"iterations": 30, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    for name, model, y, own in (
        ("catboost", catboost.CatBoostClassifier(**few), d.y, classes),
        ("catboost_three", catboost.CatBoostClassifier(**few), d.three, classes),
        ("catboost_regressor", catboost.CatBoostRegressor(**few), d.target, target),
    ):
        fitted = d.fitted(model, d.holed, y)
        yield name, of_catboost(fitted), d.wild, own(fitted)


def of_catboost(fitted):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        fitted.save_model(f"{folder}/model.onnx", format="onnx")
        return onnx.load(f"{folder}/model.onnx")


def nets(data):
    """Exports of PyTorch and Keras that stand in fixtures/, with the scripts that made them, and what PyTorch said of these rows
    when they were made. Nobody asked Keras."""
    x, categories = net_rows.rows()
    said = np.load(FIXTURES / "pytorch_answers.npz")
    for path in sorted(FIXTURES.glob("*.onnx")):
        feeds = {"x": x[:, :5].copy(), "categories": categories} if "embedded" in path.stem else x
        known = [said[name] for name in said.files if path.stem.startswith(f"pytorch_{name}")]
        yield path.stem, onnx.load(path), feeds, (lambda _, known=known: known) if known else None
