"""Every operator of ai.onnx.ml over its attributes, against onnxruntime, with a fixed seed: NaN, infinities, zeros and values
equal to thresholds among the rows. Where onnxruntime's answer contradicts the standard, the case says that we refuse it."""

import itertools
from pathlib import Path

import cases
import numpy as np
import tree_cases
from onnx import helper, numpy_helper

ROWS = 24


def write(out: Path) -> int:
    """Writes the cases that onnxruntime answers, and those that we must refuse."""
    names = {}
    count = 0
    for operator, model, feeds, refused in itertools.chain(every(), tree_cases.every()):
        index = names[operator] = names.get(operator, -1) + 1
        folder = out / f"{operator}_{index:03}"
        if refused:
            cases.write(folder, model, [], [], refused=True)
        else:
            try:
                answers = cases.answers(model, feeds)
            except Exception as error:  # noqa: BLE001
                if "NOT_IMPLEMENTED" in str(error) or "Could not find an implementation" in str(error):
                    continue
                raise RuntimeError(f"{operator} {index}: {model.graph.node[0]}") from error
            cases.write(folder, model, list(feeds.values()), answers, **tolerance(model))
        count += 1
    return count


def tolerance(model) -> dict:
    """PROBIT is an approximation in single precision that loses half of its digits near 0.5, to each engine others."""
    probit = any(a.s == b"PROBIT" or (a.name == "post_transform" and a.i == 4) for a in model.graph.node[0].attribute)
    return {"rtol": 1e-2, "atol": 2e-3} if probit else {"rtol": 1e-5, "atol": 1e-6}


def every():
    parts = (scaler, imputer, normalizer, binarizer, one_hot, label_encoder, category_mapper, features, linear, svm)
    for part in (*parts, standard_wild, casts):
        yield from part(np.random.default_rng(7))


def rows(rng, width: int, dtype, wild: bool = True):
    """Rows of small multiples of a quarter, so that equal values are many; NaN and infinities where floats may be wild."""
    values = rng.integers(-8, 9, size=(ROWS, width)) / (4 if np.dtype(dtype).kind == "f" else 1)
    values[0] = 0
    values = values.astype(dtype)
    if wild and values.dtype.kind == "f":
        for value in (np.nan, np.inf, -np.inf):
            values[rng.integers(1, ROWS, 4), rng.integers(0, width, 4)] = value
    return values


def case(operator, x, opset=1, output=np.float32, outputs=None, refused=False, domain=cases.ML, **attributes):
    outputs = outputs or [("y", output)]
    model = cases.single_node(operator, [("x", x.dtype, x.ndim)], outputs, opset, domain, **attributes)
    return operator, model, {"x": x}, refused


NUMBERS = (np.float32, np.float64, np.int64, np.int32)


def scaler(rng):
    for dtype, length, flat in itertools.product(NUMBERS, (1, 5), (False, True)):
        x = rows(rng, 5, dtype)
        offset, scale = rng.normal(size=length).tolist(), rng.normal(size=length).tolist()
        yield case("Scaler", x[3] if flat else x, offset=offset, scale=scale)
    yield case("Scaler", rows(rng, 5, np.float32), refused=True, offset=[0.0] * 3, scale=[1.0] * 3)


def imputer(rng):
    for length, replaced, flat in itertools.product((1, 5), (float("nan"), 0.0, 0.5, float("inf")), (False, True)):
        x = rows(rng, 5, np.float32)
        yield case(
            "Imputer", x[3] if flat else x, imputed_value_floats=rng.normal(size=length).tolist(), replaced_value_float=replaced
        )
    for length, replaced in itertools.product((1, 5), (0, -3)):
        x = rows(rng, 5, np.int64)
        imputed = rng.integers(0, 99, length).tolist()
        yield case("Imputer", x, output=np.int64, imputed_value_int64s=imputed, replaced_value_int64=replaced)
    yield case("Imputer", rows(rng, 5, np.float32), refused=True, imputed_value_floats=[0.0] * 3, replaced_value_float=1.0)


def normalizer(rng):
    for dtype, norm, flat in itertools.product(NUMBERS, ("MAX", "L1", "L2"), (False, True)):
        x = rows(rng, 5, dtype)
        yield case("Normalizer", x[3] if flat else x, norm=norm)


def binarizer(rng):
    for threshold in (0.0, 0.25, -1.5):
        x = rows(rng, 5, np.float32)
        x[np.isnan(x)] = threshold
        yield case("Binarizer", x, threshold=threshold)


def one_hot(rng):
    for dtype, zeros in itertools.product((np.int64, np.float32, np.float64), (0, 1)):
        x = rows(rng, 2, dtype, wild=zeros == 1)
        categories = [3, -1, 0, 2] if zeros else list(range(-9, 10))
        yield case("OneHotEncoder", x, cats_int64s=categories, zeros=zeros)
        yield case("OneHotEncoder", x[:, 0], cats_int64s=categories, zeros=zeros)
    text = rng.choice(["a", "b", "", "ä"], (ROWS, 2)).astype(object)
    yield case("OneHotEncoder", text, cats_strings=["b", "ä", "a"])
    yield case("OneHotEncoder", text, refused=True, cats_int64s=[1])


def label_encoder(rng):
    sides = {
        "strings": (["a", "b", "ä", ""], object),
        "int64s": ([3, -1, 0, 7], np.int64),
        "floats": ([0.5, -1.0, 0.0, float("nan")], np.float32),
    }
    defaults = {"strings": {"default_string": "none"}, "int64s": {"default_int64": 9}, "floats": {"default_float": 2.5}}
    inputs = {
        "strings": rng.choice(["a", "b", "ä", "", "x"], (ROWS, 2)).astype(object),
        "int64s": rng.integers(-2, 9, (ROWS, 2)),
        "floats": rows(rng, 2, np.float32),
    }
    for opset, key, value, given in itertools.product((2, 4), sides, sides, (False, True)):
        x = inputs[key]
        if opset == 2 and key == "floats":
            x = np.nan_to_num(x)
        attributes = {f"keys_{key}": sides[key][0], f"values_{value}": sides[value][0]}
        attributes |= defaults[value] if given else {}
        yield case("LabelEncoder", x, opset, output=sides[value][1], **attributes)
    tensors = {"double": np.array([0.5, -1, 0, np.nan]), "int64": np.array([3, -1, 0, 7]), "text": np.array(["a", "b", "c", ""], object)}
    wide = {"double": rows(rng, 2, np.float64), "int64": inputs["int64s"], "text": inputs["strings"]}
    for key, value in itertools.product(tensors, tensors):
        attributes = {
            "keys_tensor": numpy_helper.from_array(tensors[key]),
            "values_tensor": numpy_helper.from_array(tensors[value]),
            "default_tensor": numpy_helper.from_array(tensors[value][:1]),
        }
        yield case("LabelEncoder", wide[key], 4, output=tensors[value].dtype, **attributes)
    for x, output in ((inputs["strings"], np.int64), (np.abs(inputs["int64s"]), object)):
        yield case("LabelEncoder", x, 1, output=output, classes_strings=["b", "a", "ä"], default_int64=-5, default_string="?")


def category_mapper(rng):
    table = {"cats_strings": ["a", "b", "ä"], "cats_int64s": [4, 0, -2]}
    text = rng.choice(["a", "b", "ä", "x"], (ROWS, 2)).astype(object)
    yield case("CategoryMapper", text, output=np.int64, **table)
    yield case("CategoryMapper", text, output=np.int64, default_int64=8, **table)
    yield case("CategoryMapper", rng.integers(-3, 5, (ROWS, 2)), output=object, default_string="?", **table)


def features(rng):
    for widths, dtype in itertools.product(((2, 3), (1, 5), (4, 1)), NUMBERS):
        first, second = rows(rng, 2, dtype), rows(rng, 3, dtype)
        ports = [("a", first.dtype, 2), ("b", second.dtype, 2)]
        model = cases.single_node("FeatureVectorizer", ports, [("y", np.float32)], 1, inputdimensions=list(widths))
        yield "FeatureVectorizer", model, {"a": first, "b": second}, False
    text = rng.choice(["a", "b"], (ROWS, 5)).astype(object)
    for x in (*(rows(rng, 5, dtype) for dtype in NUMBERS), text, rows(rng, 5, np.float32)[0]):
        for places in ([0], [4, 1, 1]):
            y = np.array(places, np.int64)
            ports = [("x", x.dtype, x.ndim), ("places", np.int64, 1)]
            model = cases.single_node("ArrayFeatureExtractor", ports, [("y", x.dtype)], 1)
            yield "ArrayFeatureExtractor", model, {"x": x, "places": y}, False


POSTS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
LABELS = {2: ([5, 7], ["no", "yes"]), 3: ([5, 7, 1], ["a", "b", "c"])}


def classes(labels):
    text = isinstance(labels[0], str)
    return ({"classlabels_strings": labels} if text else {}), ({} if text else labels), object if text else np.int64


def linear(rng):
    for dtype, targets, post in itertools.product(NUMBERS, (1, 2, 3), POSTS):
        x = rows(rng, 5, dtype, wild=post in ("NONE", "LOGISTIC"))
        weights = {"coefficients": (rng.normal(size=5 * targets) / 4).tolist(), "intercepts": rng.normal(size=targets).tolist()}
        if post == "PROBIT":  # of numbers between 0 and 1
            weights = {"coefficients": [0.01] * 5 * targets, "intercepts": [0.4] * targets}
        if dtype == np.float32:
            refused = targets == 1 and post not in ("NONE", "PROBIT")
            yield case("LinearRegressor", x, refused=refused, targets=targets, post_transform=post, **weights)
        for labels in LABELS[max(2, targets)]:
            text, ints, kind = classes(labels)
            refused = targets == 1 and post not in ("NONE", "LOGISTIC")
            attributes = {**weights, **text, **({"classlabels_ints": ints} if ints else {})}
            outputs = [("label", kind), ("scores", np.float32)]
            yield case("LinearClassifier", x, outputs=outputs, refused=refused, post_transform=post, **attributes)


KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.25, 0.5, 3.0], "RBF": [0.25, 0.0, 0.0], "SIGMOID": [0.125, 0.25, 0.0]}


def svm(rng):
    for (kernel, parameters), one_class, width in itertools.product(KERNELS.items(), (0, 1), (4, 6)):
        x = rows(rng, width, np.float32, wild=False)
        attributes = {
            "kernel_type": kernel,
            "kernel_params": parameters,
            "n_supports": 5,
            "one_class": one_class,
            "rho": [0.3],
            "coefficients": rng.normal(size=5).tolist(),
            "support_vectors": (rng.integers(-8, 9, 5 * width) / 4).tolist(),
        }
        yield case("SVMRegressor", x, **attributes)
        bare = {"coefficients": rng.normal(size=width).tolist(), "rho": [0.1], "n_supports": 0, "kernel_params": parameters}
        yield case("SVMRegressor", x, one_class=one_class, **bare)
    yield case("SVMRegressor", x, refused=True, post_transform="LOGISTIC", **bare)
    for (kernel, parameters), count, platt, post in itertools.product(KERNELS.items(), (2, 3), (False, True), POSTS):
        for labels in LABELS[count]:
            yield svm_classifier(rng, kernel, parameters, count, platt, post, labels)
    for count, post, sign in itertools.product((2, 3), POSTS[:4], (False, True)):
        x = rows(rng, 4, np.float32, wild=False)
        coefficients = rng.normal(size=4 * count)
        ints = LABELS[count][0]
        yield case(
            "SVMClassifier",
            x,
            outputs=[("label", np.int64), ("scores", np.float32)],
            classlabels_ints=ints,
            coefficients=(np.abs(coefficients) if sign else coefficients).tolist(),
            kernel_params=[0.0, 0.0, 0.0],
            rho=[0.25],
            post_transform=post,
        )


def svm_classifier(rng, kernel, parameters, count, platt, post, labels):
    x = rows(rng, 4, np.float32, wild=False)
    supports = [3, 2, 4][:count]
    pairs = count * (count - 1) // 2
    text, ints, kind = classes(labels)
    attributes = {
        **text,
        **({"classlabels_ints": ints} if ints else {}),
        "kernel_type": kernel,
        "kernel_params": parameters,
        "vectors_per_class": supports,
        "support_vectors": (rng.integers(-8, 9, 4 * sum(supports)) / 4).tolist(),
        "coefficients": rng.normal(size=sum(supports) * (count - 1)).tolist(),
        "rho": rng.normal(size=pairs).tolist(),
        "post_transform": post,
    }
    if platt:
        attributes |= {"prob_a": (-np.abs(rng.normal(size=pairs))).tolist(), "prob_b": rng.normal(size=pairs).tolist()}
    refused = pairs == 1 and not platt and post != "NONE"
    return case("SVMClassifier", x, outputs=[("label", kind), ("scores", np.float32)], refused=refused, **attributes)


ELEMENTWISE = """
Abs Ceil Elu Erf Exp Floor Gelu HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log LogSoftmax Neg Reciprocal Relu Selu Sigmoid Sign
Softmax Softplus Softsign Sqrt Tanh ArgMax ArgMin ReduceMax ReduceMin ReduceMean ReduceSum ReduceProd
""".split()
PAIRED = "Add Div Equal Greater GreaterOrEqual Less LessOrEqual MatMul Max Min Mul Pow Sub".split()


def standard_wild(rng):
    """Operators of the standard that a net or pipeline hands NaN and infinities to, which its own tests leave out."""
    for operator, dtype in itertools.product(ELEMENTWISE, (np.float32, np.float64)):
        kind = bool if operator.startswith("Is") else np.int64 if operator.startswith("Arg") else dtype
        x = rows(rng, 5, dtype)
        if operator in ("ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "LogSoftmax"):  # whose NaN is each engine's own
            x = np.nan_to_num(x, posinf=9, neginf=-9)
        yield wild(operator, [x], kind)
    for operator, dtype in itertools.product(PAIRED, (np.float32, np.float64)):
        kind = bool if operator[:4] in ("Equa", "Grea", "Less") else dtype
        second = rows(rng, 5, dtype)
        second = second[:5].copy() if operator == "MatMul" else second
        yield wild(operator, [rows(rng, 5, dtype), second], kind)
    bounds = [np.array(bound, np.float32) for bound in (-1, 1)]
    yield wild("Clip", [rows(rng, 5, np.float32), *bounds], np.float32)


def casts(rng):
    kinds = {1: np.float32, 11: np.float64, 7: np.int64, 6: np.int32, 9: bool}
    for (_, source), (to, target) in itertools.product(kinds.items(), kinds.items()):
        x = rows(rng, 5, source, wild=np.dtype(target).kind in "fb")
        yield wild("Cast", [x], target, to=to)
    yield wild("Cast", [rng.choice(["3", "-2.5", "1e3", "NaN", "INF"], (ROWS, 2)).astype(object)], np.float32, to=1)
    yield wild("Cast", [rng.choice(["3", "-2"], (ROWS, 2)).astype(object)], np.int64, to=7)
    yield wild("Cast", [rows(rng, 2, np.int64)], object, to=8)


def wild(operator, arrays, kind, **attributes):
    ports = [(f"x{index}", array.dtype, array.ndim) for index, array in enumerate(arrays)]
    model = cases.single_node(operator, ports, [("y", kind)], 1, "", standard=20, **attributes)
    return f"standard_{operator}", model, {port[0]: array for port, array in zip(ports, arrays)}, False
