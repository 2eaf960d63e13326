"""Pipelines, unions and column transformers, over a matrix or over named columns."""

from kind import Kind, first, scores
from kinds.trees import boosted, forest, hist, tree
from kinds.text import LOCALE
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC

NUMBERS = ["income", "utilisation", "age", "tenure", "inquiries", "delinquencies"]
WORDS = ["home", "phone"]
NOZIPMAP = {"zipmap": False}
LOGISTIC = LogisticRegression(max_iter=1000)


def one_hot():
    return OneHotEncoder(handle_unknown="ignore")


def columns(numbers, words, **said):
    """Numbers one way, words the other."""
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)], **said)


def imputed(scaler=None):
    return make_pipeline(SimpleImputer(strategy="median"), scaler or StandardScaler())


def halves(**said):
    """The first columns one way, the next another."""
    return ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", MinMaxScaler(), [2, 3])], **said)


def norms():
    return ColumnTransformer([("a", Normalizer("l1"), [0, 1]), ("b", Normalizer("l2"), [2, 3])])


def frame(name, *steps, x="frame", **said):
    return Kind(name, make_pipeline(*steps), x=x, **said)


def union(**said):
    return FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())], **said)


ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
FRAMES = [
    frame("column_transformer_logistic", columns(imputed(), one_hot()), LOGISTIC),
    frame("column_transformer_nozipmap", columns(imputed(), one_hot()), LOGISTIC, options=NOZIPMAP),
    frame("column_transformer_forest", columns(imputed(RobustScaler()), ORDINAL), forest()),
    frame("column_transformer_boosting", columns(imputed(), one_hot()), boosted()),
    frame("column_transformer_hist", columns("passthrough", ORDINAL), hist()),
    frame("column_transformer_mlp", columns(imputed(), one_hot()), MLPClassifier((8,), max_iter=30, random_state=1)),
    frame("column_transformer_svc", columns(imputed(), one_hot()), SVC(probability=True, random_state=1)),
    frame("column_transformer_three", columns(imputed(), one_hot()), LOGISTIC, y="three_text"),
    frame("column_transformer_linear", columns(imputed(), one_hot()), LinearRegression(), y="amount"),
    frame("column_transformer_poisson", columns(imputed(), one_hot()), PoissonRegressor(), y="counts"),
    frame("column_transformer_target", columns(imputed(), TargetEncoder(random_state=1)), LOGISTIC),
    frame(
        "column_transformer_bins",
        columns(make_pipeline(SimpleImputer(), KBinsDiscretizer(4, encode="onehot-dense", subsample=None)), one_hot()),
        LOGISTIC,
    ),
    frame("column_transformer_svd", columns(imputed(), make_pipeline(one_hot(), TruncatedSVD(3, random_state=1))), LOGISTIC),
    frame("column_transformer_knn_imputer", columns(KNNImputer(n_neighbors=3), one_hot()), LOGISTIC),
    frame(
        "column_transformer_weights", columns(imputed(), one_hot(), transformer_weights={"numbers": 2.0, "words": 0.5}), LOGISTIC
    ),
    frame("column_transformer_drop", columns(imputed(), "drop"), LOGISTIC),
    frame(
        "column_transformer_selector",
        ColumnTransformer([("n", StandardScaler(), make_column_selector(dtype_include="float32"))]),
        LOGISTIC,
        x="number_frame",
    ),
    frame("column_transformer_prepared", columns(imputed(), one_hot())),
    frame(
        "column_transformer_identity",
        ColumnTransformer([("n", FunctionTransformer(), NUMBERS[:2])], remainder="passthrough"),
        LOGISTIC,
        x="number_frame",
    ),
    frame("columns_whole_and_numbers", StandardScaler(), LOGISTIC, x="mixed_frame"),
    frame("columns_joined", StandardScaler(), LOGISTIC, x="number_frame"),
    frame("columns_union", union(), x="number_frame", y=None),
    frame("columns_multi_output", columns(imputed(), one_hot()), MultiOutputClassifier(LOGISTIC), y="many_labels", decided=None),
    frame(
        "columns_voting",
        columns(imputed(), one_hot()),
        VotingClassifier([("a", LOGISTIC), ("b", tree())], voting="soft", flatten_transform=False),
    ),
    frame("columns_stacking", columns(imputed(), one_hot()), StackingClassifier([("a", LOGISTIC), ("b", forest())], cv=2)),
]


def texts(*steps):
    """Two texts and a number, each in its way."""
    return make_pipeline(
        ColumnTransformer(
            [("purpose", TfidfVectorizer(), "purpose"), ("note", TfidfVectorizer(), "note"), ("n", StandardScaler(), ["income"])]
        ),
        *steps,
    )


def spoken(model):
    """The locale of each vectorizer."""
    return {id(step): LOCALE for _, step, _ in model[0].transformers_ if isinstance(step, TfidfVectorizer)}


MATRICES = [
    Kind("pipeline_scaler_logistic", make_pipeline(StandardScaler(), LOGISTIC), x="raw"),
    Kind("pipeline_scalers", make_pipeline(StandardScaler(), MinMaxScaler()), x="raw", y=None),
    Kind("pipeline_double", make_pipeline(StandardScaler(), LOGISTIC), x="doubles", options=NOZIPMAP),
    Kind("pipeline_imputed", make_pipeline(SimpleImputer(), StandardScaler(), LOGISTIC), x="holed"),
    Kind("pipeline_imputed_forest", make_pipeline(SimpleImputer(strategy="median"), forest()), x="holed"),
    Kind("pipeline_scaler_forest", make_pipeline(StandardScaler(), forest()), x="raw"),
    Kind("pipeline_scaler_forest_double", make_pipeline(StandardScaler(), forest()), x="doubles"),
    Kind("pipeline_pca_forest", make_pipeline(PCA(3), forest())),
    Kind("pipeline_pca_logistic", make_pipeline(make_pipeline(StandardScaler(), PCA(3)), MinMaxScaler(), LOGISTIC), x="raw"),
    Kind(
        "pipeline_pca_linear",
        Pipeline([("pca", PCA(3)), ("rest", Pipeline([("none", "passthrough"), ("linear", LinearRegression())]))]),
        y="amount",
    ),
    Kind("pipeline_multinomial", make_pipeline(PCA(2), MinMaxScaler(), MultinomialNB())),
    Kind("pipeline_polynomial", make_pipeline(StandardScaler(), PolynomialFeatures(2), LOGISTIC), x="raw"),
    Kind("pipeline_knn", make_pipeline(StandardScaler(), KNeighborsClassifier()), x="raw"),
    Kind("pipeline_svc", make_pipeline(StandardScaler(), SVC()), x="raw", says=scores),
    Kind("pipeline_union", union(), x="raw", y=None),
    Kind("pipeline_union_nested", make_union(union(), PCA(2)), x="raw", y=None),
    Kind("pipeline_union_weights", union(transformer_weights={"a": 2.0, "b": 0.5}), x="raw", y=None),
    Kind("pipeline_union_part", union(transformer_weights={"a": 3.0}), x="raw", y=None),
    Kind("pipeline_columns", make_pipeline(halves(), LOGISTIC), x="raw"),
    Kind("pipeline_columns_remainder", make_pipeline(halves(remainder="passthrough"), LOGISTIC), x="raw"),
    Kind("pipeline_columns_weights", halves(transformer_weights={"a": 2.0, "b": 0.5}), x="raw", y=None),
    Kind(
        "pipeline_norms_stacking",
        make_pipeline(norms(), StackingClassifier([("a", forest()), ("b", boosted())], cv=2)),
        x="positive",
    ),
    Kind(
        "pipeline_norms_stacking_pass",
        make_pipeline(norms(), StackingClassifier([("a", forest()), ("b", boosted())], cv=2, passthrough=True)),
        x="positive",
    ),
    Kind(
        "pipeline_text_svc",
        lambda d: texts(SVC(probability=True, random_state=1)).fit(first(d.text_frame), first(d.two)),
        x="text_frame",
        options=spoken,
    ),
    Kind(
        "pipeline_text_logistic", lambda d: texts(LOGISTIC).fit(first(d.text_frame), first(d.two)), x="text_frame", options=spoken
    ),
]
KINDS = [*FRAMES, *MATRICES]
