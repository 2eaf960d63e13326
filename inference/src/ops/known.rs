//! Every operator that runs here, with the attributes that its code reads and honours: names, the opsets that have them, and the
//! values that are answered right where not all are. What does not stand here is refused ([`super::taken`]), so that nothing in a
//! file is passed over without a word.
//!
//! Attributes that change no answer stand here too: hit rates of trees, seeds and momenta of training, the order of places that are
//! not given.

/// An attribute of an operator.
pub(super) struct Attribute {
    pub(super) name: &'static str,
    /// The first opset that has it.
    pub(super) since: i64,
    /// The last one.
    pub(super) until: i64,
    pub(super) only: Only,
}

/// Which values are answered as the standard says.
pub(super) enum Only {
    All,
    Whole(&'static [i64]),
    Texts(&'static [&'static str]),
    /// None, with what to do instead.
    None(&'static str),
}

const fn any(name: &'static str) -> Attribute {
    Attribute { name, since: 0, until: NEWEST, only: Only::All }
}

const fn whole(name: &'static str, values: &'static [i64]) -> Attribute {
    Attribute { only: Only::Whole(values), ..any(name) }
}

const fn flag(name: &'static str) -> Attribute {
    whole(name, &[0, 1])
}

const fn texts(name: &'static str, values: &'static [&'static str]) -> Attribute {
    Attribute { only: Only::Texts(values), ..any(name) }
}

const fn none(name: &'static str, instead: &'static str) -> Attribute {
    Attribute { only: Only::None(instead), ..any(name) }
}

impl Attribute {
    const fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    const fn until(self, until: i64) -> Self {
        Self { until, ..self }
    }
}

/// The newest opset whose operators stand here.
pub(crate) const NEWEST: i64 = 28;

/// Operators that meant something else before opset 7: they said otherwise which dimensions to repeat, whether they train, and what
/// is an attribute.
pub(super) const CHANGED: [&str; 26] = [
    "Add",
    "And",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Concat",
    "Div",
    "Dropout",
    "Equal",
    "GRU",
    "Gemm",
    "Greater",
    "LSTM",
    "Less",
    "Mul",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "RNN",
    "Reshape",
    "Selu",
    "Split",
    "Sub",
    "Tile",
    "Xor",
];

type Operators = &'static [(&'static str, &'static [Attribute])];

const PADDING: &[&str] = &["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"];
/// Element types by their number: unsaid, f32, u8, i8, f64.
const UNSAID: i64 = 0;
const F32: i64 = 1;
const U8: i64 = 2;
const I8: i64 = 3;
const F64: i64 = 11;

const CONVOLUTION: &[Attribute] =
    &[texts("auto_pad", PADDING), any("dilations"), any("group"), any("kernel_shape"), any("pads"), any("strides")];
const WINDOW: &[Attribute] = &[any("output_datatype"), flag("periodic")];
const RANDOM: &[Attribute] =
    &[any("dtype"), any("high"), any("low"), any("mean"), any("scale"), any("seed"), any("shape")];
const REDUCE: &[Attribute] = &[any("axes").until(17), flag("keepdims"), flag("noop_with_empty_axes").since(18)];
const AXIS: &[Attribute] = &[any("axis")];
const ALPHA: &[Attribute] = &[any("alpha")];

/// Operators of the standard's own domain.
pub(super) const STANDARD: Operators = &[
    ("Abs", &[]),
    ("Acos", &[]),
    ("Acosh", &[]),
    ("Add", &[]),
    ("And", &[]),
    ("ArgMax", &[any("axis"), flag("keepdims"), flag("select_last_index").since(12)]),
    ("ArgMin", &[any("axis"), flag("keepdims"), flag("select_last_index").since(12)]),
    ("Asin", &[]),
    ("Asinh", &[]),
    ("Atan", &[]),
    ("Atanh", &[]),
    (
        "Attention",
        &[
            flag("is_causal"),
            any("kv_num_heads"),
            whole("left_window_size", &[-1]).since(25),
            any("q_num_heads"),
            whole("qk_matmul_output_mode", &[0]),
            whole("right_window_size", &[-1]).since(25),
            any("scale"),
            any("softcap"),
            whole("softmax_precision", &[F32]),
        ],
    ),
    (
        "AveragePool",
        &[
            texts("auto_pad", PADDING),
            flag("ceil_mode").since(10),
            flag("count_include_pad"),
            any("dilations").since(19),
            any("kernel_shape"),
            any("pads"),
            any("strides"),
        ],
    ),
    (
        "BatchNormalization",
        &[any("epsilon"), any("momentum"), whole("spatial", &[1]).until(8), whole("training_mode", &[0]).since(14)],
    ),
    ("BitShift", &[texts("direction", &["LEFT", "RIGHT"])]),
    ("BitwiseAnd", &[]),
    ("BitwiseNot", &[]),
    ("BitwiseOr", &[]),
    ("BitwiseXor", &[]),
    ("BlackmanWindow", WINDOW),
    ("Cast", &[texts("round_mode", &["up"]).since(24), flag("saturate").since(19), any("to")]),
    ("CastLike", &[texts("round_mode", &["up"]).since(24), flag("saturate").since(19)]),
    ("Ceil", &[]),
    ("Celu", ALPHA),
    ("Clip", &[any("max").until(10), any("min").until(10)]),
    ("Compress", AXIS),
    ("Concat", AXIS),
    (
        "Constant",
        &[
            none("sparse_value", "export it dense"),
            any("value"),
            any("value_float").since(12),
            any("value_floats").since(12),
            any("value_int").since(12),
            any("value_ints").since(12),
            any("value_string").since(12),
            any("value_strings").since(12),
        ],
    ),
    ("ConstantOfShape", &[any("value")]),
    ("Conv", CONVOLUTION),
    ("ConvInteger", CONVOLUTION),
    (
        "ConvTranspose",
        &[
            texts("auto_pad", PADDING),
            any("dilations"),
            any("group"),
            any("kernel_shape"),
            any("output_padding"),
            none("output_shape", "export it with pads and output_padding"),
            any("pads"),
            any("strides"),
        ],
    ),
    ("Cos", &[]),
    ("Cosh", &[]),
    ("CumSum", &[flag("exclusive"), flag("reverse")]),
    ("DFT", &[any("axis").until(19), flag("inverse"), flag("onesided")]),
    ("DepthToSpace", &[any("blocksize"), texts("mode", &["DCR", "CRD"]).since(11)]),
    (
        "DequantizeLinear",
        &[any("axis").since(13), whole("block_size", &[0]).since(21), whole("output_dtype", &[UNSAID, F32]).since(23)],
    ),
    ("Div", &[]),
    ("Dropout", &[any("ratio").until(11), any("seed").since(12)]),
    ("DynamicQuantizeLinear", &[]),
    ("Einsum", &[any("equation")]),
    ("Elu", ALPHA),
    ("Equal", &[]),
    ("Erf", &[]),
    ("Exp", &[]),
    ("Expand", &[]),
    ("EyeLike", &[any("dtype"), any("k")]),
    ("Flatten", AXIS),
    ("Floor", &[]),
    (
        "GRU",
        &[
            any("activation_alpha"),
            any("activation_beta"),
            any("activations"),
            any("clip"),
            any("direction"),
            any("hidden_size"),
            flag("layout").since(14),
            flag("linear_before_reset"),
        ],
    ),
    ("Gather", AXIS),
    ("GatherElements", AXIS),
    ("GatherND", &[any("batch_dims").since(12)]),
    ("Gelu", &[texts("approximate", &["none", "tanh"])]),
    ("Gemm", &[any("alpha"), any("beta"), flag("transA"), flag("transB")]),
    ("GlobalAveragePool", &[]),
    ("GlobalMaxPool", &[]),
    ("Greater", &[]),
    ("GreaterOrEqual", &[]),
    (
        "GridSample",
        &[
            flag("align_corners"),
            texts("mode", &["bilinear", "linear", "nearest", "bicubic", "cubic"]),
            texts("padding_mode", &["zeros", "border", "reflection"]),
        ],
    ),
    ("GroupNormalization", &[any("epsilon"), any("num_groups"), whole("stash_type", &[F32]).since(21)]),
    ("HammingWindow", WINDOW),
    ("HannWindow", WINDOW),
    ("HardSigmoid", &[any("alpha"), any("beta")]),
    ("HardSwish", &[]),
    ("Hardmax", AXIS),
    ("Identity", &[]),
    ("If", &[any("else_branch"), any("then_branch")]),
    ("InstanceNormalization", &[any("epsilon")]),
    ("IsInf", &[flag("detect_negative"), flag("detect_positive")]),
    ("IsNaN", &[]),
    ("LRN", &[any("alpha"), any("beta"), any("bias"), any("size")]),
    (
        "LSTM",
        &[
            any("activation_alpha"),
            any("activation_beta"),
            any("activations"),
            any("clip"),
            any("direction"),
            any("hidden_size"),
            any("input_forget"),
            flag("layout").since(14),
        ],
    ),
    ("LayerNormalization", &[any("axis"), any("epsilon"), whole("stash_type", &[F32, F64])]),
    ("LeakyRelu", ALPHA),
    ("Less", &[]),
    ("LessOrEqual", &[]),
    ("Log", &[]),
    ("LogSoftmax", AXIS),
    ("LpNormalization", &[any("axis"), whole("p", &[1, 2])]),
    ("MatMul", &[]),
    ("MatMulInteger", &[]),
    ("Max", &[]),
    (
        "MaxPool",
        &[
            texts("auto_pad", PADDING),
            flag("ceil_mode").since(10),
            any("dilations").since(10),
            any("kernel_shape"),
            any("pads"),
            flag("storage_order").since(8),
            any("strides"),
        ],
    ),
    ("Mean", &[]),
    ("MeanVarianceNormalization", &[any("axes")]),
    ("Min", &[]),
    ("Mish", &[]),
    ("Mod", &[flag("fmod")]),
    ("Mul", &[]),
    ("Multinomial", &[any("dtype"), any("sample_size"), any("seed")]),
    ("Neg", &[]),
    ("NonMaxSuppression", &[flag("center_point_box")]),
    ("NonZero", &[]),
    ("Not", &[]),
    ("OneHot", AXIS),
    ("Or", &[]),
    ("PRelu", &[]),
    ("Pad", &[texts("mode", &["constant", "reflect", "edge"]), any("pads").until(10), any("value").until(10)]),
    ("Pow", &[]),
    ("QLinearConv", CONVOLUTION),
    ("QLinearMatMul", &[]),
    (
        "QuantizeLinear",
        &[
            any("axis").since(13),
            whole("block_size", &[0]).since(21),
            whole("output_dtype", &[UNSAID, U8, I8]).since(21),
            whole("precision", &[UNSAID, F32]).since(23),
            flag("saturate").since(19),
        ],
    ),
    ("RMSNormalization", &[any("axis"), any("epsilon"), whole("stash_type", &[F32])]),
    (
        "RNN",
        &[
            any("activation_alpha"),
            any("activation_beta"),
            any("activations"),
            any("clip"),
            any("direction"),
            any("hidden_size"),
            flag("layout").since(14),
        ],
    ),
    ("RandomNormal", RANDOM),
    ("RandomNormalLike", RANDOM),
    ("RandomUniform", RANDOM),
    ("RandomUniformLike", RANDOM),
    ("Range", &[whole("stash_type", &[F32]).since(27)]),
    ("Reciprocal", &[]),
    ("ReduceL1", REDUCE),
    ("ReduceL2", REDUCE),
    ("ReduceLogSum", REDUCE),
    // A graph that was prepared and written back has its axes as an attribute in every opset.
    ("ReduceLogSumExp", &[any("axes"), flag("keepdims"), flag("noop_with_empty_axes").since(18)]),
    ("ReduceMax", REDUCE),
    ("ReduceMean", REDUCE),
    ("ReduceMin", REDUCE),
    ("ReduceProd", REDUCE),
    ("ReduceSum", &[any("axes").until(12), flag("keepdims"), flag("noop_with_empty_axes").since(13)]),
    ("ReduceSumSquare", REDUCE),
    ("Relu", &[]),
    ("Reshape", &[flag("allowzero").since(14)]),
    (
        "Resize",
        &[
            flag("antialias").since(18),
            any("axes").since(18),
            texts(
                "coordinate_transformation_mode",
                &["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"],
            )
            .since(11),
            any("cubic_coeff_a").since(11),
            flag("exclude_outside").since(11),
            any("extrapolation_value").since(11),
            texts("keep_aspect_ratio_policy", &["stretch", "not_larger", "not_smaller"]).since(18),
            texts("mode", &["nearest", "linear", "cubic"]),
            texts("nearest_mode", &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]).since(11),
        ],
    ),
    ("RotaryEmbedding", &[flag("interleaved"), any("num_heads"), any("rotary_embedding_dim")]),
    ("Round", &[]),
    ("STFT", &[flag("onesided")]),
    (
        "Scan",
        &[
            any("body"),
            none("directions", "export it with opset 9 or later"),
            any("num_scan_inputs"),
            any("scan_input_axes"),
            any("scan_input_directions"),
            any("scan_output_axes"),
            any("scan_output_directions"),
        ],
    ),
    ("Scatter", AXIS),
    ("ScatterElements", &[any("axis"), texts("reduction", &["none", "add", "mul", "min", "max"]).since(16)]),
    ("ScatterND", &[texts("reduction", &["none", "add", "mul", "min", "max"]).since(16)]),
    ("Selu", &[any("alpha"), any("gamma")]),
    ("Shape", &[any("end").since(15), any("start").since(15)]),
    ("Shrink", &[any("bias"), any("lambd")]),
    ("Sigmoid", &[]),
    ("Sign", &[]),
    ("Sin", &[]),
    ("Sinh", &[]),
    ("Size", &[]),
    ("Slice", &[any("axes").until(9), any("ends").until(9), any("starts").until(9)]),
    ("Softmax", AXIS),
    ("Softplus", &[]),
    ("Softsign", &[]),
    ("SpaceToDepth", &[any("blocksize"), texts("mode", &["DCR"]).since(28)]),
    ("Split", &[any("axis"), any("num_outputs").since(18), any("split").until(12)]),
    ("Sqrt", &[]),
    ("Squeeze", &[any("axes").until(12)]),
    ("Sub", &[]),
    ("Sum", &[]),
    ("Swish", ALPHA),
    ("Tan", &[]),
    ("Tanh", &[]),
    ("ThresholdedRelu", ALPHA),
    ("Tile", &[]),
    ("TopK", &[any("axis"), any("k").until(9), flag("largest").since(11), whole("sorted", &[1]).since(11)]),
    ("Transpose", &[any("perm")]),
    ("Trilu", &[flag("upper")]),
    ("Unsqueeze", &[any("axes").until(12)]),
    ("Where", &[]),
    ("Xor", &[]),
];

/// Operators of classical models. Their versions differ in which attributes there are, not in what one of them means.
pub(super) const ML: Operators = &[
    ("ArrayFeatureExtractor", &[]),
    ("Binarizer", &[any("threshold")]),
    ("CategoryMapper", &[any("cats_int64s"), any("cats_strings"), any("default_int64"), any("default_string")]),
    ("FeatureVectorizer", &[any("inputdimensions")]),
    (
        "Imputer",
        &[
            any("imputed_value_floats"),
            any("imputed_value_int64s"),
            any("replaced_value_float"),
            any("replaced_value_int64"),
        ],
    ),
    (
        "LabelEncoder",
        &[
            any("classes_strings"),
            any("default_float"),
            any("default_int64"),
            any("default_string"),
            any("default_tensor"),
            any("keys_floats"),
            any("keys_int64s"),
            any("keys_strings"),
            any("keys_tensor"),
            any("values_floats"),
            any("values_int64s"),
            any("values_strings"),
            any("values_tensor"),
        ],
    ),
    (
        "LinearClassifier",
        &[
            any("classlabels_ints"),
            any("classlabels_strings"),
            any("coefficients"),
            any("intercepts"),
            any("multi_class"),
            any("post_transform"),
        ],
    ),
    ("LinearRegressor", &[any("coefficients"), any("intercepts"), any("post_transform"), any("targets")]),
    ("Normalizer", &[any("norm")]),
    ("OneHotEncoder", &[any("cats_int64s"), any("cats_strings"), any("zeros")]),
    (
        "SVMClassifier",
        &[
            any("classlabels_ints"),
            any("classlabels_strings"),
            any("coefficients"),
            any("kernel_params"),
            any("kernel_type"),
            any("post_transform"),
            any("prob_a"),
            any("prob_b"),
            any("rho"),
            any("support_vectors"),
            any("vectors_per_class"),
        ],
    ),
    (
        "SVMRegressor",
        &[
            any("coefficients"),
            any("kernel_params"),
            any("kernel_type"),
            any("n_supports"),
            any("one_class"),
            any("post_transform"),
            any("rho"),
            any("support_vectors"),
        ],
    ),
    ("Scaler", &[any("offset"), any("scale")]),
    (
        "TreeEnsemble",
        &[
            any("aggregate_function"),
            any("leaf_targetids"),
            any("leaf_weights"),
            any("membership_values"),
            any("n_targets"),
            any("nodes_falseleafs"),
            any("nodes_falsenodeids"),
            any("nodes_featureids"),
            any("nodes_hitrates"),
            any("nodes_missing_value_tracks_true"),
            any("nodes_modes"),
            any("nodes_splits"),
            any("nodes_trueleafs"),
            any("nodes_truenodeids"),
            any("post_transform"),
            any("tree_roots"),
        ],
    ),
    (
        "TreeEnsembleClassifier",
        &[
            any("base_values"),
            any("base_values_as_tensor"),
            any("class_ids"),
            any("class_nodeids"),
            any("class_treeids"),
            any("class_weights"),
            any("class_weights_as_tensor"),
            any("classlabels_int64s"),
            any("classlabels_strings"),
            any("nodes_falsenodeids"),
            any("nodes_featureids"),
            any("nodes_hitrates"),
            any("nodes_hitrates_as_tensor"),
            any("nodes_missing_value_tracks_true"),
            any("nodes_modes"),
            any("nodes_nodeids"),
            any("nodes_treeids"),
            any("nodes_truenodeids"),
            any("nodes_values"),
            any("nodes_values_as_tensor"),
            any("post_transform"),
        ],
    ),
    (
        "TreeEnsembleRegressor",
        &[
            any("aggregate_function"),
            any("base_values"),
            any("base_values_as_tensor"),
            any("n_targets"),
            any("nodes_falsenodeids"),
            any("nodes_featureids"),
            any("nodes_hitrates"),
            any("nodes_hitrates_as_tensor"),
            any("nodes_missing_value_tracks_true"),
            any("nodes_modes"),
            any("nodes_nodeids"),
            any("nodes_treeids"),
            any("nodes_truenodeids"),
            any("nodes_values"),
            any("nodes_values_as_tensor"),
            any("post_transform"),
            any("target_ids"),
            any("target_nodeids"),
            any("target_treeids"),
            any("target_weights"),
            any("target_weights_as_tensor"),
        ],
    ),
    ("ZipMap", &[any("classlabels_int64s"), any("classlabels_strings")]),
];

/// The attributes of an operator of a domain; nothing of one that does not run here.
pub(super) fn attributes(domain: &str, operator: &str) -> Option<&'static [Attribute]> {
    let operators = if domain == super::check::ML { ML } else { STANDARD };
    operators.iter().find(|(name, _)| *name == operator).map(|(_, attributes)| *attributes)
}
