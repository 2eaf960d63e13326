//! Which operators are this engine's own, and tract with them in its register.

use super::operator::Builder;
use super::{activations, cast, encoder, features, fold, linear, questions, ranks, scaler, svm, trees};
use tract_onnx::Onnx;

/// Our operators of `ai.onnx.ml`.
pub(super) const ML: &[(&str, Builder)] = &[
    ("ArrayFeatureExtractor", features::array_feature_extractor),
    ("Binarizer", scaler::binarizer),
    ("CategoryMapper", encoder::category_mapper),
    ("FeatureVectorizer", features::feature_vectorizer),
    ("Imputer", scaler::imputer),
    ("LabelEncoder", encoder::label_encoder),
    ("LinearClassifier", linear::linear_classifier),
    ("LinearRegressor", linear::linear_regressor),
    ("Normalizer", scaler::normalizer),
    ("OneHotEncoder", encoder::one_hot_encoder),
    ("SVMClassifier", svm::svm_classifier),
    ("SVMRegressor", svm::svm_regressor),
    ("Scaler", scaler::scaler),
    ("TreeEnsemble", trees::tree_ensemble),
    ("TreeEnsembleClassifier", trees::tree_ensemble_classifier),
    ("TreeEnsembleRegressor", trees::tree_ensemble_regressor),
    ("ZipMap", features::zip_map),
];

/// Our operators of the standard's own domain.
const STANDARD: &[(&str, Builder)] = &[
    ("Cast", cast::cast),
    ("Celu", activations::celu),
    ("Elu", activations::elu),
    ("HardSigmoid", activations::hard_sigmoid),
    ("IsInf", questions::is_inf),
    ("IsNaN", questions::is_nan),
    ("LayerNormalization", fold::layer_normalization),
    ("LogSoftmax", fold::log_softmax),
    ("Mish", activations::mish),
    ("ReduceLogSumExp", fold::reduce_log_sum_exp),
    ("Selu", activations::selu),
    ("Sigmoid", activations::sigmoid),
    ("Softplus", activations::softplus),
    ("Swish", activations::swish),
];

/// tract with our operators. Shapes are inferred anew for the rows at hand, not taken from what the exporter noted.
pub fn onnx() -> Onnx {
    let mut onnx = tract_onnx::onnx().with_ignore_value_info(true);
    ranks::watch(&mut onnx);
    for (name, builder) in ML.iter().chain(STANDARD) {
        onnx.op_register.insert(name, *builder);
    }
    onnx
}
