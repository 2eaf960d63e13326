"""Trains stock models on real loans and exports them with stock converters: for each a graph, a sample of loans that it has
not seen, the library's own answers to them, and how it is imported.

    defaultx/tests/stock/run FOLDER
"""

import json
import sys
import warnings
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import pandas
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloats
from skl2onnx import sklapi, to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.sklapi import register  # noqa: F401
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

ROOT = Path(__file__).resolve().parents[3]
TRAIN, SAMPLE = 3000, 600
NUMBERS = ["employees", "jobs_created", "jobs_retained", "gross_approved", "share_guaranteed"]
TEXTS = ["state", "revolving", "low_doc"]
COUNTS = ["urban_rural"]


def loans():
    """Rows in random order; amounts in thousands; nobody employed is not asked."""
    frame = pandas.read_csv(ROOT / "training/data/sba_national_22k/sba_national_22k.csv.gz")
    rows = pandas.DataFrame(
        {
            "employees": frame["NoEmp"].where(frame["NoEmp"] > 0),
            "jobs_created": frame["CreateJob"],
            "jobs_retained": frame["RetainedJob"],
            "gross_approved": frame["GrAppv"] / 1000,
            "share_guaranteed": frame["SBA_Appv"] / frame["GrAppv"],
            "state": frame["State"],
            "revolving": frame["RevLineCr"].fillna(""),
            "low_doc": frame["LowDoc"],
            "urban_rural": frame["UrbanRural"],
            "default": frame["default"],
        }
    )
    rows[NUMBERS] = rows[NUMBERS].astype(np.float32)
    rows = rows.sample(frac=1, random_state=3).reset_index(drop=True)
    return rows[:TRAIN], rows[TRAIN : TRAIN + SAMPLE].reset_index(drop=True)


class Folder:
    """Where models go, and what has been written there."""

    def __init__(self, out, train, sample):
        self.out, self.train, self.sample, self.listed = out, train, sample, []

    def write(self, name, library, graph, columns, native, options=(), missing=True):
        """`columns` of the sample in the graph's order; `native` answers those rows as the graph gets them."""
        rows = self.sample if missing else self.sample.dropna().reset_index(drop=True)
        graph = graph if isinstance(graph, bytes) else graph.SerializeToString()
        (self.out / f"{name}.onnx").write_bytes(graph)
        rows[[*columns, "default"]].to_csv(self.out / f"{name}.csv", index=False)
        answers = np.asarray(native(rows[columns]), np.float64)
        pandas.DataFrame({"probability": answers}).to_csv(self.out / f"{name}.native.csv", index=False)
        self.listed.append({"name": name, "library": library, "options": list(options)})

    def floats(self, name, library, model, columns=NUMBERS, missing=False, options=(), convert=None):
        """A scikit-learn model over one tensor of floats."""
        fit = self.train if missing else self.train.dropna()
        values, label = fit[columns].to_numpy(np.float32), fit["default"].to_numpy()
        model.fit(values, label)
        kinds = [("X", FloatTensorType([None, len(columns)]))]
        graph = to_onnx(model, initial_types=kinds, target_opset={"": 18, "ai.onnx.ml": 3}, options=convert and {id(model): convert})
        answer = getattr(model, "predict_proba", None)

        def native(rows):
            rows = rows.to_numpy(np.float32)
            return answer(rows)[:, 1] if answer else model.predict(rows).ravel()

        self.write(name, library, graph, columns, native, options, missing)


def linear(folder):
    scaled = lambda model: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
    skl2onnx = "scikit-learn, skl2onnx"
    folder.floats("logistic-zipmap", skl2onnx, LogisticRegression(max_iter=2000))
    folder.floats("logistic-columns", skl2onnx, LogisticRegression(max_iter=2000), convert={"zipmap": False})
    folder.floats("logistic-raw-scores", skl2onnx, LogisticRegression(max_iter=2000), convert={"zipmap": False, "raw_scores": True})
    folder.floats("logistic-scaled", skl2onnx, scaled(LogisticRegression()), missing=True)
    folder.floats("sgd", skl2onnx, make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", alpha=0.1, random_state=0)))
    bins = KBinsDiscretizer(n_bins=5, encode="onehot-dense", strategy="quantile", quantile_method="averaged_inverted_cdf")
    folder.floats("logistic-binned", skl2onnx, make_pipeline(bins, LogisticRegression()))
    folder.floats("linear-regression", skl2onnx, make_pipeline(StandardScaler(), LinearRegression()))


def texts(folder):
    """Several inputs, two of them words."""
    encoder = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("words", OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ("counts", "passthrough", COUNTS),
        ]
    )
    model = make_pipeline(encoder, LogisticRegression(max_iter=2000))
    model.fit(folder.train[[*NUMBERS, *TEXTS, *COUNTS]], folder.train["default"])
    kinds = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    kinds += [(name, StringTensorType([None, 1])) for name in TEXTS]
    kinds += [(name, Int64TensorType([None, 1])) for name in COUNTS]
    columns = [*NUMBERS, *TEXTS, *COUNTS]
    graph = to_onnx(model, initial_types=kinds, target_opset={"": 18, "ai.onnx.ml": 3})
    folder.write("logistic-texts", "scikit-learn, skl2onnx", graph, columns, lambda rows: model.predict_proba(rows)[:, 1])


def weights_of_evidence(folder):
    """By a table of intervals and weights, as binning libraries give it."""
    fit = folder.train.dropna()
    label, intervals, weights = fit["default"].to_numpy(), [], []
    for name in NUMBERS:
        edges = np.unique(np.quantile(fit[name], [0.25, 0.5, 0.75])).astype(np.float32)
        bounds = [-np.inf, *map(float, edges), np.inf]
        held = np.searchsorted(edges, fit[name].to_numpy(), side="left")
        bad = np.array([((held == at) & (label == 1)).sum() + 0.5 for at in range(len(edges) + 1)])
        good = np.array([((held == at) & (label == 0)).sum() + 0.5 for at in range(len(edges) + 1)])
        intervals.append([(low, high, False, True) for low, high in zip(bounds, bounds[1:])])
        weights.append([float(x) for x in np.log((bad / bad.sum()) / (good / good.sum()))])
    model = make_pipeline(sklapi.WOETransformer(intervals=intervals, weights=weights, onehot=False), LogisticRegression())
    folder.floats("logistic-woe", "skl2onnx WOETransformer, scikit-learn, skl2onnx", model)


def mixed(folder):
    skl2onnx = "scikit-learn, skl2onnx"
    forest = RandomForestClassifier(30, max_depth=6, random_state=0)
    # The converter multiplies by what the library divides by, which moves values that lie on a threshold.
    folder.floats("scaler-forest", skl2onnx, make_pipeline(StandardScaler(), forest), options=["--accept-deviation", "0.1"])
    folder.floats("imputer-forest", skl2onnx, make_pipeline(SimpleImputer(strategy="median"), forest), missing=True)
    base = LogisticRegression(max_iter=2000)
    folder.floats("calibrated-sigmoid", skl2onnx, CalibratedClassifierCV(base, method="sigmoid", cv=3))
    # The converter rounds the steps to single precision, which moves values that lie on one.
    isotonic = CalibratedClassifierCV(base, method="isotonic", cv=3)
    folder.floats("calibrated-isotonic", skl2onnx, isotonic, options=["--accept-deviation", "0.1"])
    stack = StackingClassifier([("line", make_pipeline(StandardScaler(), LogisticRegression())), ("trees", forest)], cv=3)
    folder.floats("stacking", skl2onnx, stack)
    folder.floats("naive-bayes", skl2onnx, GaussianNB())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder.floats("svc", skl2onnx, make_pipeline(StandardScaler(), SVC(probability=True, random_state=0)))
    folder.floats("mlp", skl2onnx, make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=300, random_state=0)))
    folder.floats("forest", skl2onnx, forest)
    folder.floats("histogram-boosting", skl2onnx, HistGradientBoostingClassifier(max_iter=20, max_depth=4, random_state=0), missing=True)


def boosted(folder):
    fit, label = folder.train[NUMBERS].to_numpy(np.float32), folder.train["default"].to_numpy()
    kinds = [("input", ToolsFloats([None, len(NUMBERS)]))]
    second = lambda model: lambda rows: model.predict_proba(rows.to_numpy(np.float32))[:, 1]
    model = xgboost.XGBClassifier(n_estimators=20, max_depth=3, random_state=0).fit(fit, label)
    graph = onnxmltools.convert_xgboost(model, initial_types=kinds, target_opset=15)
    folder.write("xgboost", "XGBoost, onnxmltools", graph, NUMBERS, second(model))
    model = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=8, random_state=0, verbose=-1).fit(fit, label)
    graph = onnxmltools.convert_lightgbm(model, initial_types=kinds, target_opset=15)
    folder.write("lightgbm", "LightGBM, onnxmltools", graph, NUMBERS, second(model))
    model = catboost.CatBoostClassifier(iterations=20, depth=4, random_seed=0, verbose=False, allow_writing_files=False)
    model.fit(fit, label)
    model.save_model(str(folder.out / "catboost.onnx"), format="onnx")
    folder.write("catboost", "CatBoost", (folder.out / "catboost.onnx").read_bytes(), NUMBERS, second(model))


def nets(folder):
    """Exports of frameworks that are too large for tests, as they were committed; who defaulted is told by the net, mostly."""
    fixtures = ROOT / "inference/tests/conformance/fixtures"
    sys.path.insert(0, str(fixtures.parent))
    import net_rows

    columns = [f"x{at}" for at in range(23)]
    rows = pandas.DataFrame(net_rows.rows()[0][:SAMPLE], columns=columns)
    torch = np.load(fixtures / "pytorch_answers.npz")["dense"][:SAMPLE, 0]
    session = onnxruntime.InferenceSession(fixtures / "keras_dense.onnx", providers=["CPUExecutionProvider"])
    keras = session.run(None, {session.get_inputs()[0].name: rows.to_numpy()})[0][:, 0]
    for name, library, file, answers in [
        ("torch", "PyTorch, torch.onnx", "pytorch_dense", torch),
        ("keras", "Keras, tf2onnx (answers by onnxruntime)", "keras_dense", keras),
    ]:
        turned = np.arange(SAMPLE) % 5 == 0
        folder.sample = rows.assign(default=((answers > np.median(answers)) != turned).astype(int))
        graph = (fixtures / f"{file}.onnx").read_bytes()
        folder.write(name, library, graph, columns, lambda _, answers=answers: answers)


def sequence(folder):
    """A net over twelve months of four figures: each is a column, months one after the other."""
    sys.path.insert(0, str(ROOT / "e2e/baselines/scoring"))
    import shapes

    histories, late = shapes.histories(SAMPLE)
    file = shapes.GRAPHS / "gru.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    columns = shapes.header({"history": histories})
    folder.sample = pandas.DataFrame(histories.reshape(SAMPLE, -1), columns=columns).assign(default=late.astype(int))
    answers = session.run(None, {"history": histories})[0][:, 0]
    folder.write("gru", "PyTorch, torch.onnx (answers by onnxruntime)", file.read_bytes(), columns, lambda _: answers)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    folder = Folder(out, *loans())
    for make in [linear, texts, weights_of_evidence, mixed, boosted, nets, sequence]:
        make(folder)
    (out / "models.json").write_text(json.dumps(folder.listed, indent=1))


if __name__ == "__main__":
    main()
