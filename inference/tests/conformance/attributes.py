"""One graph for each operator, attribute and value that is not its default, and for each optional input and output: against
onnxruntime. The engine must answer the same or refuse the graph by the node's name."""

from pathlib import Path

import cases
import numpy as np

from onnx import TensorProto, helper, numpy_helper

STANDARD = 18
"""The opset of a case that says no other."""


def write(out: Path) -> int:
    """Writes a case for each graph that onnxruntime has."""
    return cases.write_answered(out, every(), rtol=1e-4, atol=1e-5)


def every():
    for part in (folds, places, shapes, elements, images, pools, norms, quantised, recurrent, resized, waves, classical):
        names = set()
        for name, model, feeds in part():
            assert name not in names, name
            names.add(name)
            yield name, model, feeds


def numbers(*shape, kind=np.float32, seed=3):
    """Small multiples of an eighth, none of them twice in a row of few; whole numbers of a whole type."""
    drawn = np.random.default_rng(seed).integers(-16, 17, size=shape)
    return (drawn / 8 if np.dtype(kind).kind == "f" else drawn).astype(kind)


def case(label, operator, feeds, constants=(), opset=STANDARD, domain="", outputs=1, skipped=(), **attributes):
    """A graph of one node: the first inputs are given, the others constants; None is an input that is left out. `skipped` are
    places of outputs that are left out."""
    given = {f"x{at}": np.asarray(array) for at, array in enumerate(feeds if isinstance(feeds, list) else [feeds])}
    named = [f"c{at}" if value is not None else "" for at, value in enumerate(constants)]
    gives = ["" if at in skipped else f"y{at}" for at in range(outputs)]
    node = helper.make_node(operator, [*given, *named], gives, name="it", domain=domain, **attributes)
    kind = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [node],
        "case",
        [helper.make_tensor_value_info(name, kind(array.dtype), array.shape) for name, array in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in gives if name],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in zip(named, constants) if name],
    )
    imports = [helper.make_opsetid("", opset if not domain else STANDARD)]
    imports += [helper.make_opsetid(domain, opset)] if domain else []
    model = helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 23 or domain else 10)
    return f"{operator}_{label}", model, given


def folds():
    x = numbers(3, 4, 2)
    names = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    for operator in (f"Reduce{name}" for name in names):
        x = np.abs(x) + 0.5
        yield case("keepdims_0", operator, x, [np.array([1])], keepdims=0)
        yield case("keepdims_0_before", operator, x, opset=11, keepdims=0, axes=[1])
        yield case("axes_from_end", operator, x, opset=11, axes=[-1, 0])
        yield case("all", operator, x, opset=11)
        yield case("all_flat", operator, x, opset=11, keepdims=0)
        yield case("all_since", operator, x, keepdims=0)
        yield case("axes_left_out", operator, x, [None], keepdims=0)
        yield case("axes_none", operator, x, [np.array([], np.int64)])
        yield case("noop_1", operator, x, noop_with_empty_axes=1)
        yield case("noop_1_none", operator, x, [np.array([], np.int64)], noop_with_empty_axes=1)
        yield case("noop_1_flat", operator, x, keepdims=0, noop_with_empty_axes=1)
        yield case("noop_1_axes", operator, x, [np.array([2])], noop_with_empty_axes=1)
    x = np.array([[1, 3, 3, 2], [2, 0, 2, 0], [5, 5, 5, 5]], np.float32)
    for operator in ("ArgMax", "ArgMin"):
        yield case("axis_1", operator, x, axis=1)
        yield case("axis_from_end", operator, x, axis=-1)
        yield case("keepdims_0", operator, x, axis=1, keepdims=0)
        yield case("last", operator, x, axis=1, select_last_index=1)
        yield case("last_flat", operator, x, axis=0, select_last_index=1, keepdims=0)
        yield case("before", operator, x, axis=0, opset=11)
    x = numbers(3, 4, 2)
    for operator in ("Softmax", "LogSoftmax", "Hardmax"):
        for opset in (11, 13):
            for axis in (None, 0, 1, -1):
                yield case(f"axis_{axis}_{opset}", operator, x, opset=opset, **({} if axis is None else {"axis": axis}))
    for reverse in (0, 1):
        for exclusive in (0, 1):
            yield case(f"{reverse}{exclusive}", "CumSum", x, [np.array(1)], reverse=reverse, exclusive=exclusive)
    yield case("axis_from_end", "CumSum", x, [np.array(-1, np.int32)], reverse=1)
    for p in (1, 2):
        for axis in (0, 1, -1):
            yield case(f"{p}_{axis}", "LpNormalization", x, p=p, axis=axis)
    rows = np.array([[4, 1, 3, 2, 8, 5], [9, 1, 1, 7, 0, 2]], np.float32)
    k = [np.array([3])]
    yield case("smallest", "TopK", rows, k, outputs=2, largest=0)
    yield case("axis_0", "TopK", rows, [np.array([1])], outputs=2, axis=0)
    yield case("unsorted", "TopK", rows, k, outputs=2, sorted=0)
    yield case("unsorted_smallest", "TopK", rows, k, outputs=2, sorted=0, largest=0)
    yield case("attribute", "TopK", rows, opset=9, outputs=2, k=3)


def places():
    x = numbers(3, 4)
    at = np.array([[0, 2, 1, 0], [2, 0, 0, 1]])
    updates = numbers(2, 4, seed=4)
    for opset in (11, 16, 18):
        yield case(f"before_{opset}", "ScatterElements", x, [at, updates], opset=opset)
    for reduction in ("add", "mul", "min", "max"):
        opset = 16 if reduction in ("add", "mul") else 18
        yield case(reduction, "ScatterElements", x, [at, updates], opset=opset, reduction=reduction)
        yield case(f"{reduction}_axis_1", "ScatterElements", x, [at, updates], axis=-1, reduction=reduction)
        yield case(reduction, "ScatterND", x, [np.array([[1], [1]]), updates], opset=opset, reduction=reduction)
    yield case("none", "ScatterND", x, [np.array([[1], [2]]), updates])
    yield case("axis_1", "Scatter", x, [at, updates], opset=9, axis=1)
    yield case("axis_1", "GatherElements", x, [at], axis=1)
    yield case("axis_from_end", "GatherElements", x, [at - 1], axis=-1)
    yield case("axis_1", "Gather", x, [np.array([2, 0])], axis=1)
    yield case("axis_from_end", "Gather", x, [np.array([-1, 0])], axis=-1)
    yield case("batch_dims_1", "GatherND", numbers(2, 3, 4), [np.array([[1], [2]])], batch_dims=1)
    yield case("batch_dims_0", "GatherND", numbers(2, 3, 4), [np.array([[1, 2], [0, 1]])])
    for axis in (0, 1, -1, -2):
        yield case(f"axis_{axis}", "OneHot", np.array([0, 2, 1]), [np.array(4), np.float32([-1, 5])], axis=axis)
        yield case(f"axis_{axis}", "Compress", x, [np.array([True, False, True])], axis=axis)
    yield case("flat", "Compress", x, [np.array([True, False, True, True, False])])
    for upper in (0, 1):
        yield case(f"upper_{upper}", "Trilu", x, upper=upper)
        for k in (-1, 1):
            yield case(f"upper_{upper}_{k}", "Trilu", x, [np.array(k)], upper=upper)
    yield case("k_1", "EyeLike", x, k=1)
    yield case("k_from_end", "EyeLike", x, k=-1)
    yield case("dtype", "EyeLike", x, dtype=TensorProto.INT64)
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11]]], np.float32)
    scores = np.array([[[0.9, 0.75, 0.6, 0.95]]], np.float32)
    limits = [np.array([3]), np.float32([0.5]), np.float32([0.7])]
    for kept in (1, 2, 3):
        yield case(f"limits_{kept}", "NonMaxSuppression", [boxes, scores], limits[:kept])
    yield case("centre", "NonMaxSuppression", [boxes, scores], limits, center_point_box=1)
    yield case("score_alone", "NonMaxSuppression", [boxes, scores], [np.array([3]), None, np.float32([0.7])])


def shapes():
    x = numbers(2, 3, 4)
    for start, end in ((1, None), (-1, None), (0, 2), (0, -1), (2, 1), (-9, 9)):
        yield case(f"{start}_{end}", "Shape", x, start=start, **({} if end is None else {"end": end}))
    for axis in (0, 1, 2, 3, -1):
        yield case(f"axis_{axis}", "Flatten", x, axis=axis)
    yield case("zero_copies", "Reshape", x, [np.array([0, -1])])
    yield case("allowzero", "Reshape", numbers(0, 3), [np.array([3, 0])], allowzero=1)
    yield case("perm", "Transpose", x, perm=[1, 2, 0])
    yield case("turned", "Transpose", x)
    yield case("split_before", "Split", x, opset=11, outputs=2, axis=2, split=[1, 3])
    yield case("split", "Split", x, [np.array([1, 3])], opset=13, outputs=2, axis=-1)
    yield case("even", "Split", x, opset=13, outputs=2, axis=2)
    yield case("num_outputs", "Split", numbers(2, 7), outputs=3, axis=1, num_outputs=3)
    yield case("num_outputs_short", "Split", numbers(2, 8), outputs=3, axis=1, num_outputs=3)
    yield case("split_left_out", "Split", x, [None], opset=13, outputs=2, axis=2)
    thin = numbers(1, 3, 1, 2)
    yield case("axes_before", "Squeeze", thin, opset=11, axes=[-2])
    yield case("all_before", "Squeeze", thin, opset=11)
    yield case("axes", "Squeeze", thin, [np.array([2])])
    yield case("all", "Squeeze", thin)
    yield case("axes_before", "Unsqueeze", x, opset=11, axes=[-1, 0])
    yield case("axes", "Unsqueeze", x, [np.array([3, 0, -2])])
    yield case("before", "Slice", x, opset=9, axes=[2], starts=[-3], ends=[100])
    yield case("before_from_end", "Slice", x, opset=9, axes=[-1], starts=[1], ends=[3])
    yield case("before_all", "Slice", x, opset=9, starts=[0, 1, 2], ends=[1, -1, 4])
    for axes, steps in ((None, None), ([2, 1, 0], None), (None, [1, 2, -1]), ([-1, 0, 1], [-1, 1, 2])):
        given = [None if value is None else np.array(value) for value in (axes, steps)]
        bounds = [np.array([0, 0, 3 if steps == [1, 2, -1] else 0]), np.array([9, 9, -9 if steps == [1, 2, -1] else 2])]
        if steps == [-1, 1, 2]:
            bounds = [np.array([3, 0, 0]), np.array([-9, 9, 9])]
        label = f"{axes}_{steps}".replace(" ", "").replace("[", "").replace("]", "").replace(",", "")
        yield case(label, "Slice", x, [*bounds, *given], opset=13)
    pads = np.array([0, 1, 0, 0, 2, 1])
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield case(mode, "Pad", numbers(2, 3, 4), [pads], opset=19 if mode == "wrap" else 18, mode=mode)
    yield case("edge_value", "Pad", x, [pads, np.float32(7)], mode="edge")
    yield case("value", "Pad", x, [pads, np.float32(7)])
    yield case("value_of_one", "Pad", x, [pads, np.float32([7])], opset=13)
    yield case("axes", "Pad", x, [np.array([1, 2, 0, 1]), None, np.array([-1, 0])])
    yield case("less", "Pad", x, [np.array([0, -1, 0, 0, 0, -2])])
    yield case("before", "Pad", x, opset=10, pads=[0, 1, 0, 0, 2, 1], value=3.5)
    yield case("before_edge", "Pad", x, opset=10, pads=[0, 1, 0, 0, 2, 1], mode="edge")
    yield case("from_end", "Concat", [x, numbers(2, 3, 2, seed=8)], axis=-1)
    for kind, value in (("ints", [1, 2]), ("int", 3), ("floats", [1.0, 2.5]), ("float", 2.5)):
        name, model, feeds = case(kind, "Constant", [], **{f"value_{kind}": value})
        yield name, with_input(model), {"x0": numbers(2, 2)}
    filled = numpy_helper.from_array(np.array([7], np.int64))
    yield constant_of_shape(filled)
    yield case("default", "Tile", x, [np.array([1, 2, 1])])
    blocks = numbers(1, 8, 2, 3)
    for mode in ("DCR", "CRD"):
        yield case(mode, "DepthToSpace", blocks, blocksize=2, mode=mode)
    yield case("before", "DepthToSpace", blocks, opset=10, blocksize=2)
    yield case("block", "SpaceToDepth", numbers(1, 2, 4, 6), blocksize=2)


def with_input(model):
    """The same with an input that the constant is beside of."""
    node = helper.make_node("Identity", ["x0"], ["beside"], name="beside")
    model.graph.node.append(node)
    model.graph.input.append(helper.make_tensor_value_info("x0", TensorProto.FLOAT, [2, 2]))
    model.graph.output.append(helper.make_empty_tensor_value_info("beside"))
    return model


def constant_of_shape(filled):
    name, model, _ = case("value", "ConstantOfShape", [], [np.array([2, 3])], value=filled)
    return name, with_input(model), {"x0": numbers(2, 2)}


def elements():
    x = numbers(4, 6)
    one = {"Celu": 12, "Elu": 6, "LeakyRelu": 16, "ThresholdedRelu": 10, "Swish": 24}
    for operator, opset in one.items():
        yield case("alpha", operator, x, opset=opset, alpha=0.7)
    yield case("both", "HardSigmoid", x, alpha=0.4, beta=0.3)
    yield case("both", "Selu", x, alpha=1.2, gamma=0.9)
    yield case("both", "Shrink", x, lambd=0.75, bias=0.25)
    yield case("tanh", "Gelu", x, opset=20, approximate="tanh")
    yield case("none", "Gelu", x, opset=20, approximate="none")
    ends = np.array([[1, np.inf, -np.inf, np.nan]], np.float32)
    for negative in (0, 1):
        for positive in (0, 1):
            yield case(f"{negative}{positive}", "IsInf", ends, detect_negative=negative, detect_positive=positive)
    whole, other = numbers(6, 4, kind=np.int64), np.array([[3, -3, 5, -7]])
    yield case("whole", "Mod", whole, [other])
    yield case("fmod_whole", "Mod", whole, [other], fmod=1)
    yield case("fmod", "Mod", x, [np.float32([1.25, -0.5, 0.75, 2, -3, 0.3])], fmod=1)
    bits = numbers(3, 4, kind=np.uint8)
    for direction in ("LEFT", "RIGHT"):
        yield case(direction, "BitShift", np.abs(bits), [np.array([1, 2, 0, 3], np.uint8)], direction=direction)
    yield case("before", "Clip", x, opset=10, min=-0.5, max=1.25)
    yield case("before_max", "Clip", x, opset=7, max=1.25)
    yield case("least", "Clip", x, [np.float32(-0.5)])
    yield case("most", "Clip", x, [None, np.float32(0.5)])
    yield case("crossed", "Clip", x, [np.float32(2), np.float32(1)])
    a, b, c = numbers(3, 4), numbers(4, 2, seed=5), numbers(3, 2, seed=6)
    for label, said in {"alpha": {"alpha": 0.5}, "beta": {"beta": 0.25}, "no_beta": {"beta": 0.0}}.items():
        yield case(label, "Gemm", a, [b, c], **said)
    yield case("turned", "Gemm", a.T.copy(), [b.T.copy(), c], transA=1, transB=1)
    yield case("one_bias", "Gemm", a, [b, np.float32(2)])
    yield case("bias_of_rows", "Gemm", a, [b, c[:, :1].copy()], beta=2.0)
    yield case("bias_left_out", "Gemm", a, [b, None], alpha=2.0)
    yield case("ratio_before", "Dropout", x, opset=10, ratio=0.9)
    yield case("mask_before", "Dropout", x, opset=10, outputs=2, ratio=0.9)
    yield case("ratio", "Dropout", x, [np.float32(0.9)], seed=4)
    yield case("mask", "Dropout", x, [np.float32(0.9)], outputs=2)
    yield case("trains_not", "Dropout", x, [np.float32(0.9), np.array(False)])
    yield case("trains_without_ratio", "Dropout", x, [np.float32(0.0), np.array(True)])
    yield case("equation", "Einsum", [a, b], equation="ij,jk->ki")
    three = numbers(2, 3, 3)
    texts = {"implicit": ("ij,jk", [a, b]), "upper": ("IJ,JK->IK", [a, b]), "spaces": ("ij, jk -> ik", [a, b]), "unordered": ("bj,ja", [a, b])}
    texts |= {"diagonal": ("bii->bi", [three]), "trace": ("bii->b", [three]), "sum": ("ij->", [a]), "turned": ("ij->ji", [a])}
    texts |= {"outer": ("ij,kl->ijkl", [a, b]), "three": ("ij,jk,ik->i", [a, b, c]), "dots_implicit": ("...j,jk", [a, b])}
    for label, (equation, given) in texts.items():
        yield case(label, "Einsum", given, equation=equation)
    yield case("sum_implicit", "Einsum", [a, a], equation="ij,ij")
    yield case("dots", "Einsum", [numbers(2, 3, 4), numbers(4, 2, seed=5)], equation="...ij,jk->...ik")


def images():
    x, w, b = numbers(2, 4, 6, 7), numbers(4, 4, 3, 3, seed=5), numbers(4, seed=6)
    yield case("bias", "Conv", x, [w, b])
    yield case("bias_left_out", "Conv", x, [w, None])
    yield case("group", "Conv", x, [numbers(4, 2, 3, 3, seed=5), b], group=2)
    yield case("pads", "Conv", x, [w], pads=[1, 0, 2, 1], kernel_shape=[3, 3])
    yield case("pads_kernel_unsaid", "Conv", x, [w], pads=[1, 0, 2, 1])
    yield case("strides", "Conv", x, [w], strides=[2, 3])
    yield case("dilations", "Conv", x, [w], dilations=[2, 2])
    for auto in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        yield case(auto, "Conv", x, [w], auto_pad=auto, strides=[2, 3])
        yield case(f"{auto}_kernel", "Conv", x, [w], auto_pad=auto, strides=[2, 2], kernel_shape=[3, 3])
        yield case(f"{auto}_even", "Conv", x, [numbers(4, 4, 2, 2, seed=5)], auto_pad=auto, kernel_shape=[2, 2])
        yield case(auto, "ConvTranspose", x, [w], auto_pad=auto, strides=[2, 2])
        yield case(f"{auto}_even", "ConvTranspose", x, [numbers(4, 4, 2, 2, seed=5)], auto_pad=auto, strides=[3, 3])
    yield case("bias", "ConvTranspose", x, [w, b])
    yield case("bias_left_out", "ConvTranspose", x, [w, None])
    yield case("group", "ConvTranspose", x, [numbers(4, 2, 3, 3, seed=5), b], group=2)
    yield case("pads", "ConvTranspose", x, [w], pads=[1, 0, 2, 1])
    yield case("strides", "ConvTranspose", x, [w], strides=[2, 3])
    yield case("dilations", "ConvTranspose", x, [w], dilations=[2, 2])
    yield case("output_padding", "ConvTranspose", x, [w], strides=[2, 2], output_padding=[1, 0])
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield case(f"output_padding_{auto}", "ConvTranspose", x, [w], strides=[2, 2], output_padding=[1, 0], auto_pad=auto)
        yield case(f"dilations_{auto}", "ConvTranspose", x, [w], strides=[2, 2], dilations=[2, 2], auto_pad=auto)
        yield case(f"kernel_{auto}", "ConvTranspose", x, [w], strides=[1, 2], kernel_shape=[3, 3], auto_pad=auto)
    yield case("output_shape", "ConvTranspose", x, [w], strides=[2, 2], output_shape=[14, 15])
    yield case("output_shape_less", "ConvTranspose", x, [w], strides=[2, 2], output_shape=[11, 12])
    for auto in ("SAME_UPPER", "SAME_LOWER"):
        yield case(f"output_shape_{auto}", "ConvTranspose", x, [w], strides=[2, 2], output_shape=[12, 12], auto_pad=auto)
    whole, kernel = numbers(1, 2, 4, 5, kind=np.int8).astype(np.uint8) % 16, numbers(2, 2, 2, 2, kind=np.int8).astype(np.uint8) % 16
    yield case("no_zero", "ConvInteger", whole, [kernel])
    yield case("zero", "ConvInteger", whole, [kernel, np.uint8(3)])
    yield case("zeros", "ConvInteger", whole, [kernel, np.uint8(3), np.uint8(2)])
    yield case("zero_of_kernel", "ConvInteger", whole, [kernel, None, np.uint8(2)])
    yield case("pads", "ConvInteger", whole, [kernel, np.uint8(3)], pads=[1, 0, 1, 1], strides=[2, 1])
    yield case("dilations", "ConvInteger", whole, [kernel], dilations=[2, 2])
    yield case("group", "ConvInteger", whole, [kernel[:, :1].copy()], group=2)
    yield case("SAME_UPPER", "ConvInteger", whole, [kernel], auto_pad="SAME_UPPER")


def pools():
    x = numbers(2, 2, 7, 8)
    kernel = {"kernel_shape": [3, 3]}
    for operator in ("MaxPool", "AveragePool"):
        yield case("pads", operator, x, **kernel, pads=[1, 0, 2, 1])
        yield case("strides", operator, x, **kernel, strides=[2, 3])
        yield case("ceil", operator, x, **kernel, strides=[2, 2], ceil_mode=1)
        yield case("ceil_pads", operator, x, **kernel, strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)
        yield case("ceil_2", operator, x, kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1)
        for auto in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            yield case(auto, operator, x, **kernel, auto_pad=auto, strides=[2, 2])
            yield case(f"{auto}_ceil", operator, x, **kernel, auto_pad=auto, strides=[2, 2], ceil_mode=1)
            yield case(f"{auto}_even", operator, x, kernel_shape=[2, 2], auto_pad=auto)
        yield case("dilations", operator, x, opset=19, **kernel, dilations=[2, 2])
        yield case("dilations_pads", operator, x, opset=19, **kernel, dilations=[2, 2], pads=[1, 1, 2, 2], strides=[2, 2])
    for opset in (18, 19):
        said = {"pads": [1, 1, 1, 1], "count_include_pad": 1, "opset": opset, **kernel}
        yield case(f"include_{opset}", "AveragePool", x, **said)
        yield case(f"include_ceil_{opset}", "AveragePool", x, **said, strides=[2, 3], ceil_mode=1)
    yield case("include_SAME", "AveragePool", x, **kernel, auto_pad="SAME_UPPER", count_include_pad=1)
    yield case("include_dilations", "AveragePool", x, opset=19, **kernel, dilations=[2, 1], pads=[1, 1, 1, 1], count_include_pad=1)
    for order in (0, 1):
        yield case(f"places_{order}", "MaxPool", x, **kernel, outputs=2, storage_order=order)
        yield case(f"places_{order}_pads", "MaxPool", x, **kernel, pads=[1, 1, 1, 1], strides=[2, 2], outputs=2, storage_order=order)
    yield case("order_alone", "MaxPool", x, **kernel, storage_order=1)
    yield case("p_1", "GlobalLpPool", x, p=1)
    yield case("p_3", "GlobalLpPool", x, p=3)
    yield case("p_2", "GlobalLpPool", x)
    yield case("all", "LRN", x, size=3, alpha=0.01, beta=0.5, bias=2.0)


def norms():
    x = numbers(3, 4, 5)
    scale, bias, mean, spread = numbers(4), numbers(4, seed=4), numbers(4, seed=5), np.abs(numbers(4, seed=6)) + 1
    given = [scale, bias, mean, spread]
    yield case("epsilon", "BatchNormalization", x, given, epsilon=0.5)
    yield case("momentum", "BatchNormalization", x, given, momentum=0.3)
    for opset in (9, 14, 15):
        yield case(f"before_{opset}", "BatchNormalization", x, given, opset=opset)
    yield case("trains", "BatchNormalization", x, given, outputs=3, training_mode=1)
    yield case("trains_14", "BatchNormalization", x, given, opset=14, outputs=3, training_mode=1, momentum=0.5)
    yield case("epsilon", "InstanceNormalization", x, [scale, bias], epsilon=0.5)
    yield case("groups", "GroupNormalization", x, [scale, bias], opset=21, num_groups=2)
    yield case("groups_before", "GroupNormalization", x, [scale[:2].copy(), bias[:2].copy()], num_groups=2)
    yield case("epsilon", "GroupNormalization", x, [scale, bias], opset=21, num_groups=2, epsilon=0.5)
    yield case("stash", "GroupNormalization", x.astype(np.float16), [scale.astype(np.float16), bias.astype(np.float16)], opset=21, num_groups=2)
    for axis in (-1, 1, 0, -2):
        whole = x.shape[axis:]
        yield case(f"axis_{axis}", "LayerNormalization", x, [numbers(*whole), numbers(*whole, seed=4)], axis=axis)
        yield case(f"axis_{axis}_three", "LayerNormalization", x, [numbers(*whole), numbers(*whole, seed=4)], axis=axis, outputs=3)
        yield case(f"axis_{axis}", "RMSNormalization", x, [numbers(*whole)], opset=23, axis=axis)
    yield case("epsilon", "LayerNormalization", x, [numbers(5)], epsilon=0.5)
    yield case("epsilon", "RMSNormalization", x, [numbers(5)], opset=23, epsilon=0.5)
    yield case("axes", "MeanVarianceNormalization", numbers(2, 3, 4, 2), axes=[1, 2])
    yield case("default", "MeanVarianceNormalization", numbers(2, 3, 4, 2))


def quantised():
    x = numbers(3, 4) * 20
    scale = np.float32([0.5, 0.25, 2, 1])
    for kind in (np.uint8, np.int8, np.uint16, np.int16):
        name = np.dtype(kind).name
        yield case(name, "QuantizeLinear", x, [np.float32(0.5), kind(3)], opset=21)
        yield case(f"axis_{name}", "QuantizeLinear", x, [scale, numbers(4).astype(kind)], opset=21, axis=-1)
        yield case(name, "DequantizeLinear", numbers(3, 4, kind=np.int8).astype(kind), [np.float32(0.5), kind(3)], opset=21)
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        yield case(f"output_dtype_{name}", "QuantizeLinear", x, [np.float32(0.5)], opset=21, output_dtype=dtype)
        yield case(f"no_zero_{name}", "DequantizeLinear", numbers(3, 4, kind=np.int8).astype(kind), [np.float32(0.5)], opset=21)
    yield case("no_zero", "QuantizeLinear", x, [np.float32(0.5)])
    yield case("zero_left_out", "QuantizeLinear", x, [np.float32(0.5), None])
    yield case("int32", "DequantizeLinear", numbers(3, 4, kind=np.int32), [np.float32(0.5)])
    for axis in (0, 1, -1, -2):
        length = (3, 4)[axis]
        yield case(f"axis_{axis}", "QuantizeLinear", x, [scale[:length].copy(), np.arange(length, dtype=np.int8)], axis=axis)
        whole = numbers(3, 4, kind=np.int8)
        yield case(f"axis_{axis}", "DequantizeLinear", whole, [scale[:length].copy(), np.arange(length, dtype=np.int8)], axis=axis)
        yield case(f"axis_{axis}_no_zero", "DequantizeLinear", whole, [scale[:length].copy()], axis=axis)
        yield case(f"axis_{axis}_no_zero", "QuantizeLinear", x, [scale[:length].copy()], axis=axis)
    wide = np.abs(numbers(3, 2)) + 0.5
    yield case("blocks", "QuantizeLinear", x, [wide, np.zeros((3, 2), np.int8)], opset=21, axis=1, block_size=2)
    yield case("blocks", "DequantizeLinear", numbers(3, 4, kind=np.int8), [wide], opset=21, axis=1, block_size=2)
    yield case("saturate", "QuantizeLinear", x * 100, [np.float32(0.5), np.int8(3)], opset=19, saturate=0)
    yield case("double_scale", "QuantizeLinear", x, [np.float32(0.5), np.int8(3)], opset=23, precision=TensorProto.FLOAT)
    yield case("float16", "DequantizeLinear", numbers(3, 4, kind=np.int8), [np.float16(0.5)], opset=19)
    yield case("output_dtype", "DequantizeLinear", numbers(3, 4, kind=np.int8), [np.float32(0.5)], opset=23, output_dtype=TensorProto.FLOAT16)
    a, b = numbers(3, 4, kind=np.int8), numbers(4, 2, kind=np.int8, seed=5)
    yield case("none", "MatMulInteger", a, [b])
    yield case("first", "MatMulInteger", a, [b, np.int8(3)])
    yield case("second", "MatMulInteger", a, [b, None, np.int8(2)])
    yield case("columns", "MatMulInteger", a, [b, np.int8(3), np.int8([2, -1])])
    s = np.float32(0.5)
    yield case("zeros", "QLinearMatMul", a, [s, np.int8(2), b, s, np.int8(1), np.float32(4), np.int8(5)])
    yield case("columns", "QLinearMatMul", a, [s, np.int8(2), b, np.float32([0.5, 2]), np.int8([1, 3]), np.float32(4), np.int8(5)])
    x, w = numbers(1, 2, 4, 5, kind=np.int8).astype(np.uint8) % 16, numbers(2, 2, 2, 2, kind=np.int8)
    given = [s, np.uint8(2), w, s, np.int8(0), np.float32(4), np.uint8(5)]
    columns = [s, np.uint8(2), w, np.float32([0.5, 2]), np.int8([0, 0]), np.float32(4), np.uint8(5)]
    yield case("plain", "QLinearConv", x, given)
    yield case("columns", "QLinearConv", x, columns)
    yield case("bias", "QLinearConv", x, [*given, np.int32([3, -40])])
    yield case("pads", "QLinearConv", x, given, pads=[1, 0, 1, 1], strides=[2, 1])
    yield case("SAME_LOWER", "QLinearConv", x, given, auto_pad="SAME_LOWER")
    yield case("group", "QLinearConv", x, [s, np.uint8(2), w[:, :1].copy(), *given[3:]], group=2)
    yield case("dilations", "QLinearConv", x, given, dilations=[2, 2])


def recurrent():
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    names = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"], "LSTM": ["HardSigmoid", "Softsign", "Relu"]}
    usual = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
    x = numbers(5, 2, 3)
    for operator, count in gates.items():
        outputs = 3 if operator == "LSTM" else 2

        def weights(ways, hidden=4):
            w, r = numbers(ways, count * hidden, 3, seed=5), numbers(ways, count * hidden, hidden, seed=6)
            return [w / 2, r / 2, numbers(ways, 2 * count * hidden, seed=7) / 2]

        first = [numbers(1, 2, 4, seed=8), numbers(1, 2, 4, seed=9)][: outputs - 1]
        said = {"hidden_size": 4, "outputs": outputs}
        lengths = np.array([5, 3], np.int32)
        for way in ("forward", "reverse", "bidirectional"):
            ways = 2 if way == "bidirectional" else 1
            yield case(way, operator, x, weights(ways), **said, direction=way)
            both = [np.concatenate([one] * ways) for one in first]
            yield case(f"{way}_first", operator, x, [*weights(ways), None, *both], **said, direction=way)
            yield case(f"{way}_short", operator, x, [*weights(ways), lengths], **said, direction=way)
            yield case(f"{way}_whole", operator, x, [*weights(ways), np.array([5, 5], np.int32)], **said, direction=way)
            yield case(f"{way}_functions", operator, x, weights(ways), **said, direction=way, activations=names[operator] * ways)
            yield case(f"{way}_usual", operator, x, weights(ways), **said, direction=way, activations=usual[operator] * ways)
            if operator == "LSTM":
                peep = numbers(ways, 12, seed=10) / 2
                yield case(f"{way}_peep", operator, x, [*weights(ways), None, None, None, peep], **said, direction=way)
            yield case(f"{way}_last", operator, x, weights(ways), **said, direction=way, skipped=(0,))
            yield case(f"{way}_all", operator, x, weights(ways), hidden_size=4, direction=way)
        yield case("no_bias", operator, x, weights(1)[:2], **said)
        yield case("clip", operator, x * 8, weights(1), **said, clip=0.5)
        functions = {"RNN": ["LeakyRelu"], "GRU": ["HardSigmoid", "LeakyRelu"], "LSTM": ["HardSigmoid", "LeakyRelu", "Tanh"]}
        alphas = {"RNN": [0.3], "GRU": [0.3, 0.2], "LSTM": [0.3, 0.2]}
        yield case("alpha", operator, x, weights(1), **said, activations=functions[operator], activation_alpha=alphas[operator])
        scaled = {"activations": ["ScaledTanh", *usual[operator][1:]]} if operator == "RNN" else {}
        yield case("unused_alpha", operator, x, weights(1), **said, activations=usual[operator])
        if scaled:
            yield case("scaled", operator, x, weights(1), **said, **scaled, activation_alpha=[0.5], activation_beta=[0.7])
        if operator == "GRU":
            yield case("linear", operator, x, weights(1), **said, linear_before_reset=1)
            yield case("linear_both", operator, x, weights(2), **said, linear_before_reset=1, direction="bidirectional")
        if operator == "LSTM":
            yield case("forget", operator, x, weights(1), **said, input_forget=1)
    yield from scans()


def scans():
    """A running sum over the rows of a table, forward and backward on either side, and along another axis."""
    value = helper.make_tensor_value_info
    for label, said in {
        "forward": {},
        "input_backward": {"scan_input_directions": [1]},
        "output_backward": {"scan_output_directions": [1]},
        "both_backward": {"scan_input_directions": [1], "scan_output_directions": [1]},
        "input_axis": {"scan_input_axes": [1]},
        "input_axis_from_end": {"scan_input_axes": [-1]},
        "output_axis": {"scan_output_axes": [1]},
        "output_axis_from_end": {"scan_output_axes": [-1]},
    }.items():
        size = 3 if "scan_input_axes" in said else 4
        shape = [size]
        body = helper.make_graph(
            [helper.make_node("Add", ["s", "r"], ["t"]), helper.make_node("Identity", ["t"], ["o"])],
            "body",
            [value("s", TensorProto.FLOAT, shape), value("r", TensorProto.FLOAT, shape)],
            [value("t", TensorProto.FLOAT, shape), value("o", TensorProto.FLOAT, shape)],
        )
        yield case(label, "Scan", [numbers(size, seed=4), numbers(3, 4)], outputs=2, num_scan_inputs=1, body=body, **said)


def resized():
    x = numbers(1, 1, 4, 5)
    scales = np.float32([1, 1, 1.7, 2])
    less = np.float32([1, 1, 0.6, 0.6])
    yield case("before", "Resize", x, [scales], opset=10)
    yield case("before_linear", "Resize", x, [scales], opset=10, mode="linear")
    yield case("before_less", "Resize", x, [less], opset=10)
    for mode in ("nearest", "linear", "cubic"):
        modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
        for place in modes:
            opset = 19 if place == "half_pixel_symmetric" else 18
            for label, by in (("more", scales), ("less", less)):
                name = f"{mode}_{place}_{label}"
                yield case(name, "Resize", x, [None, by], opset=opset, mode=mode, coordinate_transformation_mode=place)
            sizes = np.array([1, 1, 7, 3])
            yield case(f"{mode}_{place}_sizes", "Resize", x, [None, None, sizes], opset=opset, mode=mode, coordinate_transformation_mode=place)
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        for label, by in (("more", scales), ("less", less)):
            yield case(f"{nearest}_{label}", "Resize", x, [None, by], nearest_mode=nearest)
            yield case(f"{nearest}_{label}_13", "Resize", x, [None, by], opset=13, nearest_mode=nearest)
    cut = np.float32([0, 0, 0.2, 0.1, 1, 1, 1.2, 0.9])
    for mode in ("nearest", "linear", "cubic"):
        said = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize"}
        yield case(f"cut_{mode}", "Resize", x, [cut, scales], **said)
        yield case(f"cut_{mode}_value", "Resize", x, [cut, scales], **said, extrapolation_value=9.5)
    for label, by in (("more", scales), ("less", less)):
        yield case(f"coefficient_{label}", "Resize", x, [None, by], mode="cubic", cubic_coeff_a=-0.5)
        yield case(f"outside_{label}", "Resize", x, [None, by], mode="cubic", exclude_outside=1)
        yield case(f"smooth_linear_{label}", "Resize", x, [None, by], mode="linear", antialias=1)
        yield case(f"smooth_cubic_{label}", "Resize", x, [None, by], mode="cubic", antialias=1)
        yield case(f"smooth_outside_{label}", "Resize", x, [None, by], mode="cubic", antialias=1, exclude_outside=1)
    yield case("axes", "Resize", x, [None, np.float32([2, 0.6])], mode="linear", axes=[3, 2])
    yield case("axes_sizes", "Resize", x, [None, None, np.array([7, 3])], mode="linear", axes=[3, 2])
    for policy in ("stretch", "not_larger", "not_smaller"):
        yield case(policy, "Resize", x, [None, None, np.array([7, 8])], axes=[2, 3], keep_aspect_ratio_policy=policy)
    yield case("opset_11", "Resize", x, [np.float32([]), scales], opset=11, mode="linear")
    for scale in (2, 1.5):
        said = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        yield case(f"align_corners_{scale}", "Resize", x, [None, np.float32([1, 1, scale, scale])], **said)
    yield case("opset_11_sizes", "Resize", x, [np.float32([]), np.float32([]), np.array([1, 1, 7, 3])], opset=11)
    grid = np.random.default_rng(5).uniform(-1.4, 1.4, size=(1, 3, 3, 2)).astype(np.float32)
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            said = {"padding_mode": padding, "align_corners": corners}
            for mode in ("bilinear", "nearest", "bicubic"):
                yield case(f"{mode}_{padding}_{corners}", "GridSample", x, [grid], opset=16, mode=mode, **said)
            for mode in ("linear", "cubic"):
                yield case(f"{mode}_{padding}_{corners}", "GridSample", x, [grid], opset=20, mode=mode, **said)


def waves():
    for operator in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for label, said in {"symmetric": {"periodic": 0}, "periodic": {}, "double": {"output_datatype": TensorProto.DOUBLE}}.items():
            name, model, _ = case(label, operator, [], [np.array(8)], **said)
            yield name, with_input(model), {"x0": numbers(2, 2)}
    for kind in (TensorProto.FLOAT, TensorProto.DOUBLE):
        given = [np.array(8), np.array(64), np.array(8192), np.float32(0), np.float32(4096)]
        name, model, _ = case(f"kind_{kind}", "MelWeightMatrix", [], given, output_datatype=kind)
        yield name, with_input(model), {"x0": numbers(2, 2)}
    x = numbers(2, 8, 1)
    for inverse in (0, 1):
        for axis in (1, 2):
            wave = numbers(2, 6, 5, 2)
            yield case(f"axis_{axis}_{inverse}", "DFT", wave, opset=17, inverse=inverse, axis=axis)
            yield case(f"axis_{axis}_{inverse}_since", "DFT", wave, [None, np.array(axis)], opset=20, inverse=inverse)
    yield case("onesided", "DFT", x, opset=17, onesided=1)
    yield case("onesided_since", "DFT", x, [None, np.array(1)], opset=20, onesided=1)
    yield case("length", "DFT", x, [np.array(5)], opset=17)
    yield case("length_more", "DFT", x, [np.array(11)], opset=17)
    for onesided in (0, 1):
        yield case(f"onesided_{onesided}", "STFT", numbers(1, 16, 1), [np.array(4), np.hanning(8).astype(np.float32)], onesided=onesided)
        yield case(f"length_{onesided}", "STFT", numbers(1, 16, 1), [np.array(4), None, np.array(8)], onesided=onesided)
    q, k, v = numbers(2, 3, 8), numbers(2, 5, 8, seed=4), numbers(2, 5, 8, seed=5)
    heads = {"q_num_heads": 2, "kv_num_heads": 2, "opset": 23}
    for label, said in {
        "plain": {},
        "scale": {"scale": 0.3},
        "causal": {"is_causal": 1},
        "softcap": {"softcap": 1.5},
        "precision": {"softmax_precision": TensorProto.FLOAT},
        "few": {"kv_num_heads": 1},
    }.items():
        fewer = [k[..., :4].copy(), v[..., :4].copy()] if label == "few" else [k, v]
        yield case(label, "Attention", [q, *fewer], **{**heads, **said})
    yield case("mask", "Attention", [q, k, v], [numbers(3, 5, seed=6)], **heads)
    yield case("mask_of_flags", "Attention", [q, k, v], [numbers(3, 5, seed=6) > -1], **heads)
    yield case("mask_causal", "Attention", [q, k, v], [numbers(3, 5, seed=6)], **heads, is_causal=1)
    past = [numbers(2, 2, 3, 4, seed=7), numbers(2, 2, 3, 4, seed=8)]
    yield case("past", "Attention", [q, k, v], [None, *past], **heads, outputs=3)
    yield case("past_causal", "Attention", [q, k, v], [None, *past], **heads, outputs=3, is_causal=1)
    for mode in range(4):
        yield case(f"scores_{mode}", "Attention", [q, k, v], **heads, outputs=4, skipped=(1, 2), qk_matmul_output_mode=mode)
    x = numbers(1, 2, 3, 8)
    turn = numbers(10, 4, seed=4)
    at = [turn, numbers(10, 4, seed=5), np.array([[0, 3, 7]])]
    for label, said in {"plain": {}, "interleaved": {"interleaved": 1}}.items():
        yield case(label, "RotaryEmbedding", x, at, opset=23, **said)
    yield case("part", "RotaryEmbedding", x, [turn[:, :2].copy(), at[1][:, :2].copy(), at[2]], opset=23, rotary_embedding_dim=4)
    yield case("heads", "RotaryEmbedding", numbers(1, 3, 16), at, opset=23, num_heads=2)


def classical():
    """What `operators.py` leaves out of the operators of classical models."""
    x = numbers(4, 3)
    linear = {"coefficients": numbers(9).tolist(), "intercepts": [0.1, 0.2, 0.3], "classlabels_ints": [0, 1, 2]}
    for one in (0, 1):
        yield case(f"{one}", "LinearClassifier", x, domain=cases.ML, opset=1, outputs=2, multi_class=one, **linear)
    yield case("float", "Binarizer", x, domain=cases.ML, opset=1, threshold=0.5)
    for norm in ("MAX", "L1", "L2"):
        yield case(norm, "Normalizer", x, domain=cases.ML, opset=1, norm=norm)
