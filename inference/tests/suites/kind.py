"""What a kind is: an estimator, the rows that it learns and is asked, and how its library answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
import scipy.sparse
import skl2onnx
from data import TRAINED_ON, Data
from skl2onnx.common import data_types

# What the numbers of an answer are, by which they are compared.
LABEL, PROBABILITY, NUMBER = "l", "p", "f"
# The library's answers, output by output: what the numbers are, and the numbers.
Answers = list[tuple[str, Any]]

# Distances are one where single precision cannot tell them apart.
TIED = 1e-6

TYPES = {
    np.dtype(np.float32): data_types.FloatTensorType,
    np.dtype(np.float64): data_types.DoubleTensorType,
    np.dtype(np.int64): data_types.Int64TensorType,
    np.dtype(np.int32): data_types.Int32TensorType,
    np.dtype(bool): data_types.BooleanTensorType,
    np.dtype(object): data_types.StringTensorType,
}


@dataclass(frozen=True)
class Kind:
    """One line of a table of kinds. `model` is an estimator that has learned nothing, or a function that makes a learned one of
    the data. `x` and `y` name features and a target of `Data`; `asked` other features than those that were learned."""

    name: str
    model: Any
    x: str = "scaled"
    y: str | None = "two"
    says: Callable[[Any, Any], Answers] | None = None
    options: Any = None
    export: Callable[..., Any] | None = None
    asked: str | None = None
    library: str = "scikit-learn"
    # How a label is decided by the numbers beside it: "largest" or "smallest" of a row, a threshold, or nothing for a label
    # that stands alone.
    decided: str | float | None = "largest"
    # How far numbers may be from each other, where it is more than for all kinds, and why.
    within: float | None = None
    because: str = ""

    def learned(self, data: Data) -> Any:
        """The trained estimator."""
        if callable(self.model) and not hasattr(self.model, "fit"):
            return self.model(data)
        x = wide(first(getattr(data, self.x)))
        return self.model.fit(x) if self.y is None else self.model.fit(x, getattr(data, self.y)[:TRAINED_ON])

    def rows(self, data: Data) -> Any:
        """The rows that are asked."""
        return getattr(data, self.asked or self.x)

    def answers(self, model: Any, x: Any) -> Answers:
        """What the library says of them."""
        said = (self.says or usual(model))(model, wide(x))
        return [(role, dense(values)) for role, values in said]

    def exported(self, model: Any, x: Any) -> Any:
        """The stock converter's file."""
        options = self.options(model) if callable(self.options) else self.options
        return (self.export or scikit)(model, x, options)


def undecided(model: Any, x: Any) -> list[int]:
    """Rows whose answer hangs on which of two neighbours is the last, where both are as far off: each library picks another."""
    if not hasattr(model, "kneighbors") or not getattr(model, "n_neighbors", None):
        return []
    last = model.n_neighbors
    distances = model.kneighbors(wide(x), n_neighbors=last + 1)[0]
    tied = distances[:, last] - distances[:, last - 1] <= TIED * distances[:, last]
    return [int(row) for row in np.flatnonzero(tied)]


def first(x: Any) -> Any:
    """The rows that are learned."""
    return x[:TRAINED_ON]


def wide(x: Any) -> Any:
    """The same numbers in double precision, in which a lender's library reckons."""
    if isinstance(x, np.ndarray) and x.dtype == np.float32:
        return x.astype(np.float64)
    if isinstance(x, np.ndarray) and x.dtype == bool:
        return x.astype(np.int64)
    return x


def dense(values: Any) -> Any:
    """An array, of a sparse matrix or of one array for each target."""
    if scipy.sparse.issparse(values):
        return values.toarray()
    return np.hstack(values) if isinstance(values, list) and values and np.ndim(values[0]) == 2 else np.asarray(values)


def types(x: Any) -> list:
    """The inputs of a graph over these rows: one for a matrix, one for each column of a frame."""
    if isinstance(x, pandas.DataFrame):
        return [(name, TYPES[column_type(x[name])]([None, 1])) for name in x.columns]
    return [("X", TYPES[x.dtype]([None, x.shape[1]]))]


def column_type(column: pandas.Series) -> np.dtype:
    """numpy's type for a column; text is an object."""
    return column.dtype if isinstance(column.dtype, np.dtype) else np.dtype(object)


def scikit(model: Any, x: Any, options: Any, **said: Any) -> Any:
    """An export by skl2onnx."""
    return skl2onnx.to_onnx(model, initial_types=types(x), options=options, **said)


def older(model: Any, x: Any, options: Any) -> Any:
    """The same with the operators of trees that some converters stop at."""
    return at(18, 3)(model, x, options)


def at(opset: int, trees: int = 1) -> Callable[..., Any]:
    """An export with the operators of an older standard."""
    return lambda model, x, options: scikit(model, x, options, target_opset={"": opset, "ai.onnx.ml": trees})


def without(*operators: str) -> Callable[..., Any]:
    """An export that must do without some operators."""
    return lambda model, x, options: scikit(model, x, options, black_op=set(operators))


def usual(model: Any) -> Callable[[Any, Any], Answers]:
    """How models of this type answer when nothing else is said."""
    if hasattr(model, "predict_proba"):
        return classes
    if hasattr(model, "decision_function"):
        return scores
    if hasattr(model, "predict"):
        return target
    return made


def classes(model: Any, x: Any) -> Answers:
    """Labels and the probability of each."""
    return [(LABEL, model.predict(x)), (PROBABILITY, model.predict_proba(x))]


def scores(model: Any, x: Any) -> Answers:
    """Labels and the numbers that decide them."""
    return [(LABEL, model.predict(x)), (NUMBER, model.decision_function(x))]


def target(model: Any, x: Any) -> Answers:
    """Numbers."""
    return [(NUMBER, model.predict(x))]


def made(model: Any, x: Any) -> Answers:
    """What a transformer makes of the rows."""
    return [(NUMBER, model.transform(x))]


def made_text(model: Any, x: Any) -> Answers:
    """What a transformer that takes a list of texts makes of them."""
    return [(NUMBER, model.transform(x[:, 0]))]


def coded(model: Any, x: Any) -> Answers:
    """Whole numbers that a transformer makes of the rows."""
    return [(LABEL, model.transform(x))]


def coded_column(model: Any, x: Any) -> Answers:
    """Whole numbers that a transformer makes of a single column."""
    return [(LABEL, model.transform(x[:, 0]))]


def clusters(model: Any, x: Any) -> Answers:
    """The nearest centre, and how far each is."""
    return [(LABEL, model.predict(x)), (NUMBER, model.transform(x))]


def with_spread(model: Any, x: Any) -> Answers:
    """Numbers, and how sure they are."""
    return [(NUMBER, values) for values in model.predict(x, return_std=True)]


def outliers(model: Any, x: Any) -> Answers:
    """Whether a row is one, how much, and on which scale."""
    return [*scores(model, x), (NUMBER, model.score_samples(x))]


def mixture(model: Any, x: Any) -> Answers:
    """The likeliest component, the probability of each, and how likely the row is."""
    return [*classes(model, x), (NUMBER, model.score_samples(x))]


def leaves(model: Any, x: Any) -> Answers:
    """The usual, and the leaf of each tree."""
    return [*usual(model)(model, x), (LABEL, np.asarray(model.apply(x)).reshape(len(x), -1))]


def paths(model: Any, x: Any) -> Answers:
    """The usual, and the nodes of each tree on the way to its leaf."""
    return [*usual(model)(model, x), (LABEL, path_texts(model, x))]


def paths_and_leaves(model: Any, x: Any) -> Answers:
    """All of it."""
    return [*paths(model, x), leaves(model, x)[-1]]


def path_texts(model: Any, x: Any) -> np.ndarray:
    """A text of 0 and 1 for each tree."""
    trees = getattr(model, "estimators_", [model])
    texts = [["".join(map(str, row)) for row in tree.decision_path(x.astype(np.float32)).toarray()] for tree in trees]
    return np.array(texts, object).T


def neighbours(model: Any, x: Any) -> Answers:
    """The nearest rows, and how far they are."""
    distances, places = model.kneighbors(x)
    return [(LABEL, places), (NUMBER, distances)]
