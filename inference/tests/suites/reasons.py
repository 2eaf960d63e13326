"""Why exports say something else than their library, as found by reading the files. The compared figures stand on their own;
this only fills the table's last column."""

SINGLE_THRESHOLDS = "thresholds in single precision, where a value lies on one"
NO_HOLES = "the directions that missing values take in trees are lost"
FLIPPED = "decision values with the sign of the other class; the labels are right"
NO_LINK = "the link function is lost: the number is its logarithm"
KNOTS = "the nearest knot of the isotonic curve, not the line between two"
SCALED = "scaling in single precision, where the scaled value lies on a threshold of the trees"
BIN_EDGES = "edges of bins in single precision, where a value lies on one"

WHY = {
    SINGLE_THRESHOLDS: """forest_double forest_double_older gradient_boosting_double gradient_boosting_double_older hist_double
        hist_double_older hist_regressor_double hist_regressor_double_older hist_holed hist_three_holed hist_regressor_holed
        stacking_double lightgbm lightgbm_nozipmap lightgbm_three lightgbm_three_nozipmap lightgbm_text lightgbm_dart
        lightgbm_regressor lightgbm_regressor_double lightgbm_regressor_split lightgbm_regressor_categorical
        lightgbm_regressor_gamma lightgbm_regressor_quantile lightgbm_regressor_huber lightgbm_ranker lightgbm_booster
        lightgbm_booster_nozipmap lightgbm_booster_three lightgbm_booster_regressor""",
    NO_HOLES: "tree_holed tree_regressor_holed forest_holed forest_regressor_holed",
    FLIPPED: "svc svc_linear svc_poly svc_sigmoid svc_whole svc_double nu_svc pipeline_svc",
    NO_LINK: "hist_regressor_poisson hist_regressor_gamma catboost_regressor_poisson",
    KNOTS: """calibrated_isotonic calibrated_isotonic_three calibrated_isotonic_knn calibrated_logistic_isotonic
        calibrated_forest_isotonic calibrated_linear_svc_three calibrated_isotonic_double""",
    SCALED: """column_transformer_forest column_transformer_boosting columns_stacking columns_voting pipeline_scaler_forest
        pipeline_scaler_forest_double xgboost_pipeline xgboost_pipeline_nozipmap xgboost_pipeline_three
        xgboost_pipeline_regressor xgboost_stacking lightgbm_pipeline lightgbm_pipeline_three lightgbm_pipeline_regressor
        lightgbm_columns""",
    BIN_EDGES: "bins_ordinal_uniform bins_onehot_uniform binned_logistic",
    "the splits on categories are taken for thresholds": """hist_categorical hist_categorical_holed hist_regressor_categorical""",
    "the sigmoid that was fitted on decision values is given probabilities": "calibrated_pipeline",
    "probabilities of two decision values instead of one, so the margin counts twice": "linear_discriminant",
    "the features' means are not taken off before the spread": "bayesian_ridge_spread bayesian_ridge_spread_double",
    "decision values are divided by their sum as if they were probabilities": "one_vs_rest_linear_svc",
    "a row without any vote is divided by 0": "one_vs_rest_whole",
    "the label by the greatest mean decision value, not by the greatest mean probability": "bagging_sgd_raw_three",
    "the label by 0.5, not by the threshold that was tuned": "tuned_threshold",
    "numbers beside whole numbers are cut to whole ones": "columns_whole_and_numbers",
    "decision values in place of probabilities": "xgboost_softmax",
    "a softmax where the library takes a sigmoid of each": "lightgbm_one_against_all catboost_one_against_all",
    "the logistic is taken of the sum of the trees, and the mean only after it": "lightgbm_forest",
    "zeros are not read as missing": "lightgbm_zero_as_missing",
    "the columns that say what was missing are lost": "imputer_indicator",
    "intervals with a weight below 0 are lost": "woe_below_zero",
    "the weights by distance come out equal": "knn_distance knn_regressor_distance knn_regressor_two_distance",
    "log(1 + count) instead of 1 + log(count)": "tfidf_sublinear",
    "words are cut at letters beyond those of English": "tfidf_accented",
    "probabilities are 0 or 1, whatever share a leaf has": "tree_labels extra_tree_labels",
    "no leaf is given to the second target": "xgboost_regressor_two",
    "a sum of squares in single precision": "mixture_diag",
}
# Kinds that do what the refusal of another asks for.
FOLLOWED = {
    "knn_cdist": "knn",
    "lof_cdist": "lof",
    "gaussian_process_cdist": "gaussian_process_float",
    "knn_imputer_cdist": "knn_imputer",
    "multi_output_classifier": "multi_output_classifier_nozipmap",
    "logistic_double_zipmap": "logistic_double",
    "dict_vectorizer": "logistic",
    "dict_vectorizer_unsorted": "logistic",
}
REASONS = {kind: reason for reason, kinds in WHY.items() for kind in kinds.split()}
