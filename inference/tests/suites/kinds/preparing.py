"""What prepares rows: scalers, bins, encoders, imputers, selection, projections, casts."""

import numpy as np
from kind import Kind, coded, coded_column, first, made, target, without
from sklearn import decomposition as parts
from sklearn import feature_selection as pick
from sklearn import preprocessing as p
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  makes IterativeImputer known
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import GaussianRandomProjection
from sklearn.tree import DecisionTreeRegressor
from skl2onnx.sklapi import CastRegressor, CastTransformer, ReplaceTransformer, WOETransformer
import skl2onnx.sklapi.register  # noqa: F401  makes their converters known


def plain(x, **models):
    """Kinds of transformers that learn no target."""
    return [Kind(name, model, x=x, y=None) for name, model in models.items()]


SCALERS = [
    *plain(
        "raw",
        standard_scaler=p.StandardScaler(),
        standard_scaler_no_mean=p.StandardScaler(with_mean=False),
        standard_scaler_no_std=p.StandardScaler(with_std=False),
        standard_scaler_nothing=p.StandardScaler(with_mean=False, with_std=False),
        robust_scaler=p.RobustScaler(),
        robust_scaler_no_centre=p.RobustScaler(with_centering=False),
        robust_scaler_no_scale=p.RobustScaler(with_scaling=False),
        min_max_scaler=p.MinMaxScaler(),
        min_max_scaler_clip=p.MinMaxScaler(clip=True),
        max_abs_scaler=p.MaxAbsScaler(),
        normalizer=p.Normalizer(),
        normalizer_l1=p.Normalizer("l1"),
        normalizer_max=p.Normalizer("max"),
        binarizer=p.Binarizer(threshold=30.0),
        polynomial=p.PolynomialFeatures(2),
        polynomial_3=p.PolynomialFeatures(3),
        polynomial_interactions=p.PolynomialFeatures(3, interaction_only=True, include_bias=False),
        quantile_transformer=p.QuantileTransformer(n_quantiles=50),
        spline=p.SplineTransformer(n_knots=4),
        function_identity=p.FunctionTransformer(),
    ),
    *plain(
        "doubles",
        standard_scaler_double=p.StandardScaler(),
        robust_scaler_double=p.RobustScaler(),
        min_max_scaler_double=p.MinMaxScaler(),
        min_max_scaler_clip_double=p.MinMaxScaler(clip=True),
        max_abs_scaler_double=p.MaxAbsScaler(),
        normalizer_double=p.Normalizer("l1"),
        binarizer_double=p.Binarizer(threshold=0.3),
    ),
    *plain(
        "whole",
        standard_scaler_whole=p.StandardScaler(),
        min_max_scaler_whole=p.MinMaxScaler(),
        polynomial_whole=p.PolynomialFeatures(2),
        quantile_transformer_whole=p.QuantileTransformer(n_quantiles=20),
    ),
    Kind("standard_scaler_div", p.StandardScaler(), x="raw", y=None, options=lambda m: {id(m): {"div": "div"}}),
    Kind("standard_scaler_div_cast", p.StandardScaler(), x="raw", y=None, options=lambda m: {id(m): {"div": "div_cast"}}),
    Kind("standard_scaler_plain", p.StandardScaler(), x="raw", y=None, export=without("Scaler")),
    Kind("normalizer_plain", p.Normalizer(), x="raw", y=None, export=without("Normalizer")),
    Kind("power_plain", p.PowerTransformer(), y=None, export=without("Scaler")),
    Kind("standard_scaler_holed", p.StandardScaler(), x="holed", y=None),
    Kind("quantile_transformer_holed", p.QuantileTransformer(n_quantiles=50), x="holed", y=None),
    *plain("scaled", power_yeo_johnson=p.PowerTransformer(), power_yeo_johnson_plain=p.PowerTransformer(standardize=False)),
    *plain(
        "positive",
        power_box_cox=p.PowerTransformer("box-cox"),
        power_box_cox_plain=p.PowerTransformer("box-cox", standardize=False),
    ),
]


def bins(encode, strategy, **said):
    return p.KBinsDiscretizer(5, encode=encode, strategy=strategy, random_state=1, subsample=None, **said)


BINS = [
    *[
        Kind(f"bins_{encode.split('-')[0]}_{strategy}{tail}", bins(encode, strategy), x=x, y=None)
        for encode in ("ordinal", "onehot-dense")
        for strategy in ("uniform", "quantile", "kmeans")
        for x, tail in (("raw", ""), ("whole", "_whole"))
    ],
    Kind("bins_onehot_sparse", bins("onehot", "uniform"), x="raw", y=None),
    Kind("binned_logistic", make_pipeline(bins("onehot-dense", "uniform"), LogisticRegression()), x="raw"),
]
IGNORE = {"handle_unknown": "ignore", "sparse_output": False}
ENCODERS = [
    Kind("one_hot_words", p.OneHotEncoder(**IGNORE), x="words", y=None, asked="unseen"),
    Kind("one_hot_word", p.OneHotEncoder(), x="word", y=None),
    Kind("one_hot_sparse", p.OneHotEncoder(), x="words", y=None),
    Kind("one_hot_codes", p.OneHotEncoder(**IGNORE), x="codes", y=None),
    Kind("one_hot_codes_32", p.OneHotEncoder(**IGNORE), x="codes32", y=None),
    Kind("one_hot_floats", p.OneHotEncoder(**IGNORE), x="float_codes", y=None),
    Kind("one_hot_drop_first", p.OneHotEncoder(drop="first", sparse_output=False), x="words", y=None),
    Kind("one_hot_drop_if_two", p.OneHotEncoder(drop="if_binary", sparse_output=False), x="words", y=None),
    Kind("one_hot_drop_codes", p.OneHotEncoder(drop="first", sparse_output=False), x="codes", y=None),
    Kind(
        "one_hot_rare",
        p.OneHotEncoder(min_frequency=60, handle_unknown="infrequent_if_exist", sparse_output=False),
        x="words",
        y=None,
    ),
    Kind("one_hot_mixed", p.OneHotEncoder(**IGNORE), x="code_frame", y=None),
    Kind("ordinal_words", p.OrdinalEncoder(), x="words", y=None),
    Kind(
        "ordinal_unknown",
        p.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        x="words",
        y=None,
        asked="unseen",
    ),
    Kind(
        "ordinal_unknown_missing",
        p.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        x="words",
        y=None,
        asked="unseen",
    ),
    Kind("ordinal_codes", p.OrdinalEncoder(), x="codes", y=None),
    Kind("ordinal_whole_out", p.OrdinalEncoder(dtype=np.int64), x="words", y=None, says=coded),
    Kind("ordinal_missing", p.OrdinalEncoder(encoded_missing_value=-2), x="one_hole_codes", y=None),
    Kind("ordinal_rare", p.OrdinalEncoder(min_frequency=60), x="words", y=None),
    Kind("ordinal_most", p.OrdinalEncoder(max_categories=3), x="words", y=None),
    Kind("ordinal_mixed", p.OrdinalEncoder(), x="code_frame", y=None),
    Kind("target_encoder", p.TargetEncoder(random_state=1), x="words"),
    Kind("target_encoder_codes", p.TargetEncoder(random_state=1), x="codes"),
    Kind("target_encoder_amount", p.TargetEncoder(random_state=1), x="words", y="amount"),
    Kind("target_encoder_three", p.TargetEncoder(random_state=1), x="words", y="three"),
    Kind("label_encoder", lambda d: p.LabelEncoder().fit(first(d.word)[:, 0]), x="word", says=coded_column),
    Kind("label_encoder_floats", lambda d: p.LabelEncoder().fit(first(d.float_codes)[:, 0]), x="float_code", says=coded_column),
    Kind("label_encoder_whole", lambda d: p.LabelEncoder().fit(first(d.codes)[:, 0]), x="code", says=coded_column),
    Kind("label_binarizer", lambda d: p.LabelBinarizer().fit(first(d.codes)[:, 0]), x="code", says=coded_column),
    Kind(
        "label_binarizer_range",
        lambda d: p.LabelBinarizer(neg_label=-2, pos_label=3).fit(first(d.codes)[:, 0]),
        x="code",
        says=coded_column,
    ),
    Kind("label_binarizer_two", lambda d: p.LabelBinarizer().fit(first(d.two)), x="code_two", says=coded_column),
]


def known(weights):
    return lambda data: WOETransformer(intervals=INTERVALS, weights=weights).fit(first(data.raw))


INTERVALS = [[(-np.inf, 25.0), (25.0, 45.0), (45.0, np.inf)], [(-np.inf, 0.3, True, False), (0.3, np.inf, True, True)]]


def dictionary(model, x, options):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DictionaryType, FloatTensorType, StringTensorType

    kinds = [("X", DictionaryType(StringTensorType([1]), FloatTensorType([1])))]
    return convert_sklearn(model, initial_types=kinds, options=options)


def hashed(model, x, options):
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = [("X", StringTensorType([None, x.shape[1]]))]
    return to_onnx(model, initial_types=kinds, final_types=[("Y", FloatTensorType([None, 1]))], options=options)


IMPUTERS = [
    *plain(
        "holed",
        imputer_mean=SimpleImputer(),
        imputer_median=SimpleImputer(strategy="median"),
        imputer_most=SimpleImputer(strategy="most_frequent"),
        imputer_constant=SimpleImputer(strategy="constant", fill_value=-1.0),
        imputer_constant_default=SimpleImputer(strategy="constant"),
        imputer_indicator=SimpleImputer(add_indicator=True),
        knn_imputer=KNNImputer(n_neighbors=3),
        iterative_imputer=IterativeImputer(max_iter=3, random_state=1),
        replace_missing=ReplaceTransformer(from_value=np.nan, to_value=-5.0),
    ),
    Kind("knn_imputer_one_hole", KNNImputer(n_neighbors=3), x="one_hole", y=None),
    Kind("knn_imputer_cdist", KNNImputer(n_neighbors=3), x="holed", y=None, options=lambda m: {id(m): {"optim": "cdist"}}),
    Kind("imputer_double", SimpleImputer(), x="holed64", y=None),
    Kind("imputer_zeros", SimpleImputer(missing_values=0), x="zeros", y=None),
    Kind("imputer_whole", SimpleImputer(missing_values=-1, strategy="most_frequent"), x="whole_holed", y=None),
    Kind("imputer_words", SimpleImputer(missing_values="", strategy="most_frequent"), x="words", y=None, says=coded),
    Kind(
        "imputer_words_constant",
        SimpleImputer(missing_values="", strategy="constant", fill_value="none"),
        x="words",
        y=None,
        says=coded,
    ),
    Kind("replace_zero", ReplaceTransformer(from_value=0.0, to_value=np.nan), x="zeros", y=None),
]


PICKS = [
    *[
        Kind(f"{name}{tail}", model, x=x, says=made if x == "scaled" else coded)
        for name, model in {
            "select_generic": pick.GenericUnivariateSelect(mode="k_best", param=3),
            "select_rfe": pick.RFE(LogisticRegression(max_iter=2000), n_features_to_select=3),
            "select_rfe_cv": pick.RFECV(LogisticRegression(max_iter=2000), cv=2),
            "select_fdr": pick.SelectFdr(alpha=0.2),
            "select_fpr": pick.SelectFpr(alpha=0.2),
            "select_fwe": pick.SelectFwe(alpha=0.3),
            "select_from_model": pick.SelectFromModel(DecisionTreeRegressor(max_depth=4, random_state=1)),
            "select_k_best": pick.SelectKBest(k=3),
            "select_percentile": pick.SelectPercentile(percentile=50),
        }.items()
        for x, tail in (("scaled", ""), ("whole", "_whole"))
    ],
    Kind("select_variance", pick.VarianceThreshold(0.1), x="raw", y=None),
    Kind("select_variance_whole", pick.VarianceThreshold(1.0), x="whole", y=None, says=coded),
    Kind("select_then_logistic", make_pipeline(p.StandardScaler(), pick.SelectKBest(k=3), LogisticRegression()), x="raw"),
]
PROJECTIONS = [
    *plain(
        "scaled",
        pca=parts.PCA(3),
        pca_full=parts.PCA(),
        pca_white=parts.PCA(3, whiten=True),
        pca_share=parts.PCA(0.9, svd_solver="full"),
        pca_arpack=parts.PCA(3, svd_solver="arpack", random_state=1),
        pca_incremental=parts.IncrementalPCA(3),
        truncated_svd=parts.TruncatedSVD(3, random_state=1),
        truncated_svd_arpack=parts.TruncatedSVD(3, algorithm="arpack", random_state=1),
        kernel_pca=parts.KernelPCA(3, random_state=1),
        kernel_pca_rbf=parts.KernelPCA(3, kernel="rbf", random_state=1),
        kernel_pca_poly=parts.KernelPCA(3, kernel="poly", random_state=1),
        kernel_pca_sigmoid=parts.KernelPCA(3, kernel="sigmoid", gamma=0.05, random_state=1),
        kernel_pca_cosine=parts.KernelPCA(3, kernel="cosine", random_state=1),
        random_projection=GaussianRandomProjection(3, random_state=1),
    ),
    *plain(
        "scaled64",
        pca_double=parts.PCA(3),
        kernel_pca_double=parts.KernelPCA(3, random_state=1),
        kernel_pca_rbf_double=parts.KernelPCA(3, kernel="rbf", random_state=1),
        random_projection_double=GaussianRandomProjection(3, random_state=1),
    ),
    *plain("whole", pca_whole=parts.PCA(3), truncated_svd_whole=parts.TruncatedSVD(3, random_state=1)),
]
CASTS = [
    Kind("kernel_centerer", lambda d: p.KernelCenterer().fit(d.scaled64[:6]), x="scaled64"),
    Kind("cast_float", CastTransformer(dtype=np.float32), x="doubles", y=None),
    Kind("cast_double", CastTransformer(dtype=np.float64), x="raw", y=None),
    Kind("cast_whole", CastTransformer(dtype=np.int64), x="raw", y=None, says=coded),
    Kind(
        "cast_regressor",
        CastRegressor(DecisionTreeRegressor(max_depth=4, random_state=1), dtype=np.float32),
        x="raw",
        y="amount",
        says=target,
    ),
    Kind(
        "cast_regressor_double",
        CastRegressor(DecisionTreeRegressor(max_depth=4, random_state=1), dtype=np.float64),
        x="raw",
        y="amount",
        says=target,
    ),
    Kind("woe", known([[0.7, 0.1, 0.9], [0.4, 0.3]]), x="raw"),
    Kind("woe_below_zero", known([[-0.7, 0.1, 0.9], [0.4, -0.3]]), x="raw"),
    Kind("woe_one_hot", known(None), x="raw"),
    Kind("woe_logistic", make_pipeline(WOETransformer(intervals=INTERVALS), LogisticRegression(max_iter=2000)), x="raw"),
    Kind("dict_vectorizer", DictVectorizer(sparse=False), x="dicts", y=None, export=dictionary),
    Kind("dict_vectorizer_unsorted", DictVectorizer(sparse=False, sort=False), x="dicts", y=None, export=dictionary),
    Kind("feature_hasher", FeatureHasher(8, input_type="string", dtype=np.float32), x="word", y=None, export=hashed),
]
KINDS = [*SCALERS, *BINS, *ENCODERS, *IMPUTERS, *PICKS, *PROJECTIONS, *CASTS]
