"""Support vector machines, scikit-learn's and those of LIBSVM itself."""

import numpy as np
from kind import LABEL, NUMBER, PROBABILITY, Kind, first, scores
from libsvm import svmutil
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM
from sklearn.linear_model import SGDOneClassSVM

NOZIPMAP = {"zipmap": False}
SCIKIT = [
    Kind("svc", SVC(), says=scores),
    Kind("svc_linear", SVC(kernel="linear"), says=scores),
    Kind("svc_poly", SVC(kernel="poly"), says=scores),
    Kind("svc_sigmoid", SVC(kernel="sigmoid"), says=scores),
    Kind("svc_three", SVC(), y="three", says=scores),
    Kind("svc_three_ovo", SVC(decision_function_shape="ovo"), y="four", says=scores, decided=None),
    Kind("svc_three_ovo_nozipmap", SVC(decision_function_shape="ovo"), y="three", options=NOZIPMAP, says=scores, decided=None),
    Kind("svc_four", SVC(kernel="linear"), y="four", says=scores),
    Kind("svc_four_ties", SVC(kernel="linear", break_ties=True), y="four", says=scores),
    Kind("svc_raw", SVC(), options={"raw_scores": True, "zipmap": False}, says=scores),
    Kind("svc_raw_three", SVC(), y="three", options={"raw_scores": True, "zipmap": False}, says=scores),
    Kind("svc_text", SVC(), y="three_text", says=scores),
    Kind("svc_whole", SVC(), x="whole", says=scores),
    Kind("svc_double", SVC(), x="scaled64", says=scores, options=NOZIPMAP),
    Kind("svc_probability", SVC(probability=True, random_state=1)),
    Kind("svc_linear_probability", SVC(kernel="linear", probability=True, random_state=1)),
    Kind("svc_poly_probability_double", SVC(kernel="poly", probability=True, random_state=1), x="scaled64", options=NOZIPMAP),
    Kind(
        "svc_sigmoid_probability_double", SVC(kernel="sigmoid", probability=True, random_state=1), x="scaled64", options=NOZIPMAP
    ),
    Kind("svc_three_probability", SVC(probability=True, random_state=1), y="three"),
    Kind("svc_four_probability", SVC(kernel="linear", probability=True, random_state=1), y="four"),
    Kind("nu_svc", NuSVC(nu=0.3), says=scores),
    Kind("nu_svc_three", NuSVC(nu=0.3), y="three", says=scores),
    Kind("nu_svc_probability", NuSVC(nu=0.3, probability=True, random_state=1)),
    Kind("nu_svc_three_probability", NuSVC(nu=0.3, probability=True, random_state=1), y="three"),
    Kind("linear_svc", LinearSVC(random_state=1), says=scores),
    Kind("linear_svc_three", LinearSVC(random_state=1), y="three", says=scores),
    Kind("linear_svc_whole", LinearSVC(random_state=1), x="whole", says=scores),
    Kind("linear_svc_flags", LinearSVC(random_state=1), x="flags", says=scores),
    Kind("svr", SVR(), y="amount"),
    Kind("svr_linear", SVR(kernel="linear"), y="amount"),
    Kind("svr_poly", SVR(kernel="poly"), y="amount"),
    Kind("svr_whole", SVR(), x="whole", y="amount"),
    Kind("nu_svr", NuSVR(), y="amount"),
    Kind("nu_svr_flags", NuSVR(), x="flags", y="amount"),
    Kind("linear_svr", LinearSVR(random_state=1), y="amount"),
    Kind("linear_svr_whole", LinearSVR(random_state=1), x="whole", y="amount"),
    Kind("one_class_svm", OneClassSVM(nu=0.2), y=None, says=scores),
    Kind("one_class_svm_poly", OneClassSVM(nu=0.2, kernel="poly"), y=None, says=scores),
    Kind("sgd_one_class", SGDOneClassSVM(random_state=1, nu=0.2), y=None, says=scores),
]


def trained(flags: str, y: str):
    """A model of LIBSVM. Its rows are those that were learned."""

    def learned(data):
        rows = first(data.scaled).astype(float).tolist()
        return svmutil.svm_train(first(getattr(data, y)).tolist(), rows, f"-q {flags}")

    return learned


def asked(model, x):
    probable = "-b 1 -q" if svmutil.svm_model.is_probability_model(model) else "-q"
    return svmutil.svm_predict([], x.tolist(), model, probable)


def libsvm_classes(model, x):
    """Probabilities by label, since LIBSVM has classes in the order of their appearance."""
    labels, _, values = asked(model, x)
    order = np.argsort(model.get_labels())
    return [(LABEL, np.array(labels, int)), (PROBABILITY, np.array(values)[:, order])]


def libsvm_scores(model, x):
    labels, _, values = asked(model, x)
    return [(LABEL, np.array(labels, int)), (NUMBER, np.array(values))]


def libsvm_target(model, x):
    return [(NUMBER, np.array(asked(model, x)[0]))]


def libsvm(model, x, options):
    """Imports where it is used: this converter does not load beside every version of what it shares with others."""
    from onnxmltools.convert.common.data_types import FloatTensorType
    from onnxmltools.convert.libsvm import convert

    return convert(model, "kind", initial_types=[("X", FloatTensorType([None, x.shape[1]]))])


def own(name, flags, y, says, **said):
    return Kind(f"libsvm_{name}", trained(flags, y), y=y, says=says, export=libsvm, library="LIBSVM", **said)


LIBSVM = [
    own("svc_probability", "-s 0 -b 1", "two", libsvm_classes),
    own("svc_linear_probability", "-s 0 -t 0 -b 1", "two", libsvm_classes),
    own("nu_svc_probability", "-s 1 -n 0.3 -b 1", "two", libsvm_classes),
    own("svc_three_probability", "-s 0 -b 1", "three", libsvm_classes),
    own("svc_raw", "-s 0", "two", libsvm_scores),
    own("svc_linear_raw", "-s 0 -t 0", "two", libsvm_scores),
    own("nu_svc_raw", "-s 1 -n 0.3", "two", libsvm_scores),
    own("svc_three_raw", "-s 0", "three", libsvm_scores, decided=None),
    own("svr", "-s 3", "amount", libsvm_target),
    own("svr_linear", "-s 3 -t 0", "amount", libsvm_target),
    own("nu_svr", "-s 4", "amount", libsvm_target),
]
KINDS = [*SCIKIT, *LIBSVM]
