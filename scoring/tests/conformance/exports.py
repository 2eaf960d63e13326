"""Stock exports, unedited, each with ten thousand rows and onnxruntime's answers: NaN and infinities where the exporter's
library takes them, and for trees rows whose values equal thresholds. Models are small, since parity is no matter of size."""

import warnings
from pathlib import Path

import cases
import catboost
import lightgbm
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
        for name, model, feeds in part(data):
            if isinstance(model, bytes):
                model = onnx.load_from_string(model)
            names = [value.name for value in model.graph.input]
            feeds = feeds if isinstance(feeds, dict) else {names[0]: feeds}
            given = [feeds[name] for name in names]
            cases.write(out / name, model, given, cases.answers(model, feeds), most=MOST.get(name, 1e-6))
            count += 1
    return count


def scikit_trees(data):
    forest = {"n_estimators": 12, "max_depth": 6, "random_state": 1}
    x, d = data.x, data
    yield "random_forest", to_onnx(d.fitted(RandomForestClassifier(**forest)), x[:1]), x
    yield "random_forest_three", to_onnx(d.fitted(RandomForestClassifier(**forest), y=d.three), x[:1]), x
    text = np.array(["good", "bad"], object)[d.y]
    yield "random_forest_text_labels", to_onnx(d.fitted(RandomForestClassifier(**forest), y=text), x[:1]), x
    yield "extra_trees", to_onnx(d.fitted(ExtraTreesClassifier(**forest)), x[:1], options={"zipmap": False}), x
    histogram = d.fitted(HistGradientBoostingClassifier(max_iter=20), d.holed)
    yield "histogram_gradient_boosting", to_onnx(histogram, x[:1]), d.wild
    histogram = d.fitted(HistGradientBoostingClassifier(max_iter=10), d.holed, d.three)
    yield "histogram_gradient_boosting_three", to_onnx(histogram, x[:1]), d.wild
    yield "gradient_boosting", to_onnx(d.fitted(GradientBoostingClassifier(n_estimators=30)), x[:1]), x
    yield "gradient_boosting_three", to_onnx(d.fitted(GradientBoostingClassifier(n_estimators=10), y=d.three), x[:1]), x
    yield "random_forest_regressor", to_onnx(d.fitted(RandomForestRegressor(**forest), y=d.target), x[:1]), x
    yield "gradient_boosting_regressor", to_onnx(d.fitted(GradientBoostingRegressor(n_estimators=20), y=d.target), x[:1]), x


def scikit_others(data):
    x, d = data.x, data
    yield "logistic_regression", to_onnx(d.fitted(LogisticRegression()), x[:1]), x
    yield "logistic_regression_three", to_onnx(d.fitted(LogisticRegression(), y=d.three), x[:1]), x
    yield "linear_regression", to_onnx(d.fitted(LinearRegression(), y=d.target), x[:1]), x
    yield "mlp", to_onnx(d.fitted(MLPClassifier((24, 12), max_iter=15, random_state=1)), x[:1]), x
    yield "mlp_three", to_onnx(d.fitted(MLPClassifier((16,), max_iter=15, random_state=1), y=d.three), x[:1]), x
    few = Data()
    few.x, few.y, few.three, few.target = x[:400], d.y[:400], d.three[:400], d.target[:400]
    yield "svc", to_onnx(few.fitted(SVC()), x[:1]), x
    yield "svc_probability", to_onnx(few.fitted(SVC(probability=True, random_state=1)), x[:1]), x
    yield "svc_three_probability", to_onnx(few.fitted(SVC(probability=True, random_state=1), y=few.three), x[:1]), x
    yield "svc_three", to_onnx(few.fitted(SVC(kernel="poly"), y=few.three), x[:1]), x
    yield "svr", to_onnx(few.fitted(SVR(), y=few.target), x[:1]), x
    yield "linear_svc", to_onnx(few.fitted(LinearSVC()), x[:1]), x
    for method in ("sigmoid", "isotonic"):
        calibrated = CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=8), cv=2, method=method)
        yield f"calibrated_{method}", to_onnx(d.fitted(calibrated), x[:1]), x
    calibrated = CalibratedClassifierCV(LogisticRegression(), cv=3)
    yield "calibrated_logistic", to_onnx(d.fitted(calibrated), x[:1]), x


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
    yield "pipeline_one_hot", to_onnx(fitted, initial_types=kinds), feeds
    unseen = {**feeds, "home": np.where(np.arange(ROWS)[:, None] % 7 == 0, "unseen", feeds["home"]).astype(object)}
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    robust = make_pipeline(SimpleImputer(strategy="median"), RobustScaler())
    prepared = ColumnTransformer([("numbers", robust, numbers), ("text", ordinal, ["home", "flag"])])
    trees = RandomForestClassifier(8, max_depth=5, random_state=1)
    fitted = make_pipeline(prepared, trees).fit(frame[:TRAINED_ON], d.y[:TRAINED_ON])
    yield "pipeline_ordinal", to_onnx(fitted, initial_types=kinds), unseen
    ranged = make_pipeline(SimpleImputer(strategy="most_frequent"), MinMaxScaler())
    prepared = ColumnTransformer([("numbers", ranged, list(range(7))), ("category", one_hot, [7])])
    fitted = d.fitted(make_pipeline(prepared, LogisticRegression()))
    yield "pipeline_numbers", to_onnx(fitted, d.x[:1]), filled_last(d)
    fitted = d.fitted(make_pipeline(StandardScaler(), Normalizer(), LogisticRegression()))
    yield "pipeline_normalizer", to_onnx(fitted, d.x[:1]), d.x
    wide = d.x.astype(np.float64)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(wide[:TRAINED_ON], d.y[:TRAINED_ON])
    kinds = [("x", DoubleTensorType([None, WIDTH]))]
    yield "pipeline_double", to_onnx(fitted, initial_types=kinds, options={"zipmap": False}), wide
    whole = (d.x * 8).astype(np.int64)
    trees = RandomForestClassifier(8, max_depth=5, random_state=1).fit(whole[:TRAINED_ON], d.y[:TRAINED_ON])
    yield "whole_numbers", to_onnx(trees, initial_types=[("x", Int64TensorType([None, WIDTH]))]), whole
    calibrated = CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=2)
    yield "pipeline_calibrated", to_onnx(d.fitted(calibrated), d.x[:1]), d.x


def filled_last(data):
    """Holes everywhere but in the category, which has no place for them."""
    x = data.holed.copy()
    x[:, 7] = data.x[:, 7]
    return x


def boosters(data):
    d, kinds = data, [("x", ToolsFloats([None, WIDTH]))]
    small = {"n_estimators": 30, "max_depth": 4}
    fitted = d.fitted(xgboost.XGBClassifier(**small), d.holed)
    yield "xgboost", onnxmltools.convert_xgboost(fitted, initial_types=kinds), d.wild
    fitted = d.fitted(xgboost.XGBClassifier(**small), d.holed, d.three)
    yield "xgboost_three", onnxmltools.convert_xgboost(fitted, initial_types=kinds), d.wild
    fitted = d.fitted(xgboost.XGBRegressor(**small), d.holed, d.target)
    yield "xgboost_regressor", onnxmltools.convert_xgboost(fitted, initial_types=kinds), d.wild
    small |= {"verbose": -1, "n_jobs": 1}
    fitted = d.fitted(lightgbm.LGBMClassifier(**small), d.holed)
    yield "lightgbm", onnxmltools.convert_lightgbm(fitted, initial_types=kinds), d.wild
    yield "lightgbm_tensor", onnxmltools.convert_lightgbm(fitted, initial_types=kinds, zipmap=False), d.wild
    fitted = d.fitted(lightgbm.LGBMClassifier(**small), d.holed, d.three)
    yield "lightgbm_three", onnxmltools.convert_lightgbm(fitted, initial_types=kinds), d.wild
    fitted = d.fitted(lightgbm.LGBMRegressor(**small), d.holed, d.target)
    yield "lightgbm_regressor", onnxmltools.convert_lightgbm(fitted, initial_types=kinds), d.wild
    sets = {**small, "min_data_per_group": 5, "cat_smooth": 1.0, "max_cat_to_onehot": 1}
    fitted = lightgbm.LGBMClassifier(**sets)
    fitted.fit(d.x[:TRAINED_ON], d.y[:TRAINED_ON], categorical_feature=[7])
    yield "lightgbm_categorical", onnxmltools.convert_lightgbm(fitted, initial_types=kinds), d.x
    few = {"iterations": 30, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    for name, model, y in (
        ("catboost", catboost.CatBoostClassifier(**few), d.y),
        ("catboost_three", catboost.CatBoostClassifier(**few), d.three),
        ("catboost_regressor", catboost.CatBoostRegressor(**few), d.target),
    ):
        yield name, of_catboost(d.fitted(model, d.holed, y)), d.wild


def of_catboost(fitted):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        fitted.save_model(f"{folder}/model.onnx", format="onnx")
        return onnx.load(f"{folder}/model.onnx")


def nets(data):
    """Exports of PyTorch and Keras that stand in fixtures/, with the scripts that made them."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(ROWS, 23)).astype(np.float32) * 2
    for path in sorted(FIXTURES.glob("*.onnx")):
        feeds = x
        if "embedded" in path.stem:
            categories = np.stack([rng.integers(0, size, ROWS) for size in (7, 12)], axis=1)
            feeds = {"x": x[:, :5].copy(), "categories": categories}
        yield path.stem, onnx.load(path), feeds
