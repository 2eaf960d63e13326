"""Writes the stock exports that `model run` is tested with: for each a graph, rows with empty cells, and onnxruntime's answers.

    inference/tests/conformance/run target/conformance     # makes the environment
    target/conformance-venv/bin/python defaultx/tests/it/graphs/make.py
"""

from pathlib import Path

import catboost
import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pandas
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
ROWS = 40
NUMBERS = ["income", "debt", "months", "age_of_file"]


def table():
    rng = np.random.default_rng(3)
    frame = pandas.DataFrame(np.round(rng.normal(size=(400, 4)) * 8).astype(np.float32) / 8, columns=NUMBERS)
    frame = frame.mask(rng.random(frame.shape) < 0.1).astype(np.float32)
    frame["home"] = rng.choice(["own", "rent", "other, or none"], 400)
    frame["dependants"] = rng.integers(0, 5, 400)
    margin = frame["income"].fillna(0.5) + frame["debt"].fillna(0) * 2 + (frame["home"] == "rent") + rng.normal(size=400)
    return frame, (margin > 0.5).astype(int).to_numpy(), margin.to_numpy(np.float32)


def write(name, graph, frame, feeds, columns):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))
    (HERE / f"{name}.onnx").write_bytes(graph.SerializeToString())
    rows = frame[columns].head(ROWS)
    rows.insert(0, "id", [f"loan-{at}" for at in range(len(rows))])
    rows.to_csv(HERE / f"{name}.csv", index=False)
    found = {}
    for output, values in answers.items():
        if isinstance(values, list):
            values = np.array([list(row.values()) for row in values], np.float32)
        if values.dtype.kind == "f":
            values = values.reshape(len(values), -1)
            width = values.shape[1]
            found |= {output if width == 1 else f"{output}_{at}": values[:ROWS, at] for at in range(width)}
    pandas.DataFrame(found).to_csv(HERE / f"{name}.expected.csv", index=False)


def main():
    frame, label, target = table()
    x = frame[NUMBERS].to_numpy()
    floats = [("input", ToolsFloats([None, len(NUMBERS)]))]

    model = xgboost.XGBClassifier(n_estimators=12, max_depth=3, random_state=1).fit(x, label)
    write("xgboost", onnxmltools.convert_xgboost(model, initial_types=floats), frame, {"input": x}, NUMBERS)
    model = lightgbm.LGBMRegressor(n_estimators=12, num_leaves=6, random_state=1, verbose=-1).fit(x, target)
    write("lightgbm", onnxmltools.convert_lightgbm(model, initial_types=floats), frame, {"input": x}, NUMBERS)
    model = catboost.CatBoostClassifier(iterations=8, depth=3, random_seed=1, verbose=False, allow_writing_files=False)
    path = HERE / "catboost.onnx"
    model.fit(x, label).save_model(str(path), format="onnx")
    write("catboost", onnx.load(path), frame, {"features": x}, NUMBERS)

    prepared = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ("text", OneHotEncoder(handle_unknown="ignore"), ["home"]),
        ("whole", "passthrough", ["dependants"]),
    ])
    pipeline = make_pipeline(prepared, LogisticRegression()).fit(frame, label)
    kinds = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    kinds += [("home", StringTensorType([None, 1])), ("dependants", Int64TensorType([None, 1]))]
    feeds = {name: frame[[name]].to_numpy(np.float32) for name in NUMBERS}
    feeds |= {"home": frame[["home"]].to_numpy(object), "dependants": frame[["dependants"]].to_numpy(np.int64)}
    # The file's columns are in another order: they are found by name.
    columns = ["home", "dependants", *reversed(NUMBERS)]
    write("pipeline", to_onnx(pipeline, initial_types=kinds), frame, feeds, columns)


if __name__ == "__main__":
    main()
