"""The models that both sides run, trained with a fixed seed, and the rows that they run on."""

import csv
import gzip
import json

import numpy as np
import onnx
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

WIDTH = 23
TREES = 300
DEPTH = 6
SEED = 20
BACKGROUND = 100
# Protected columns are never features, in a benchmark neither.
PROTECTED = {"SEX", "EDUCATION", "MARRIAGE", "AGE"}


def taiwan(root):
    """The 19 columns that may be features and four made of them; the label. A ratio whose divisor is 0 is missing."""
    with gzip.open(f"{root}/training/data/taiwan/taiwan.csv.gz", "rt", newline="") as file:
        header, *lines = csv.reader(file)
    table = {name: np.array([float(line[at]) for line in lines]) for at, name in enumerate(header)}
    label = table.pop("default")
    features = [values for name, values in table.items() if name not in PROTECTED]
    months = np.array([table[f"PAY_{month}"] for month in range(1, 7)])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [table["BILL_AMT1"] / table["LIMIT_BAL"], table["PAY_AMT1"] / table["BILL_AMT2"]]
    features += [np.where(np.isfinite(ratio), ratio, np.nan) for ratio in ratios] + [months.max(0), months.mean(0)]
    rows = np.ascontiguousarray(np.array(features).T, dtype=np.float32)
    assert rows.shape[1] == WIDTH
    return rows, label


def boosted(rows, label):
    """300 trees of depth 6 that are full enough to be worth timing."""
    params = {
        "objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.1, "min_child_weight": 1, "tree_method": "hist",
        "seed": SEED, "nthread": 1, "base_score": 0.5,
    }
    return xgboost.train(params, xgboost.DMatrix(rows, label, nthread=1), num_boost_round=TREES)


def exported(booster):
    """The stock export, unedited."""
    return convert_xgboost(booster, initial_types=[("features", FloatTensorType([None, WIDTH]))]).SerializeToString()


def trees(booster):
    """Every tree as flat lists, with the hessians that XGBoost counts as covers."""
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]
    names = ["left_children", "right_children", "split_indices", "split_conditions", "default_left", "sum_hessian"]
    return [{name: tree[name] for name in names} for tree in model["trees"]]


def dense(seed=SEED):
    """23 → 64 → 32 → 1 with relu between and a logistic at the end."""
    rng = np.random.default_rng(seed)
    widths = [WIDTH, 64, 32, 1]
    nodes, constants, value = [], [], "features"
    for layer, (before, after) in enumerate(zip(widths, widths[1:])):
        weights = (rng.normal(size=(before, after)) / np.sqrt(before)).astype(np.float32)
        bias = (rng.normal(size=after) / 10).astype(np.float32)
        constants += [numpy_helper.from_array(weights, f"w{layer}"), numpy_helper.from_array(bias, f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [f"sum{layer}"]))
        last = layer + 2 == len(widths)
        value = "probability" if last else f"hidden{layer}"
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"sum{layer}"], [value]))
    graph = helper.make_graph(
        nodes, "dense",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", WIDTH])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def standardised(rows):
    """What a net takes: no missing value, spread one."""
    filled = np.nan_to_num(rows.astype(np.float64))
    return ((filled - filled.mean(0)) / np.maximum(filled.std(0), 1e-9)).astype(np.float32)
