"""Naive Bayes, mixtures and clusters."""

from kind import Kind, at, clusters, mixture, without
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB


def means(**said):
    return KMeans(4, n_init=2, random_state=1, **said)


def gaussians(kind, components=3):
    return GaussianMixture(components, covariance_type=kind, random_state=1)


BAYES = [
    Kind("multinomial_nb", MultinomialNB(), x="raw"),
    Kind("multinomial_nb_three", MultinomialNB(), x="unit", y="three"),
    Kind("multinomial_nb_params", MultinomialNB(alpha=0.5, fit_prior=False), x="unit", y="three"),
    Kind("multinomial_nb_whole", MultinomialNB(), x="whole"),
    Kind("multinomial_nb_flags", MultinomialNB(), x="flags"),
    Kind("bernoulli_nb", BernoulliNB()),
    Kind("bernoulli_nb_three", BernoulliNB(), y="three"),
    Kind("bernoulli_nb_params", BernoulliNB(alpha=0, binarize=0.5, fit_prior=False), y="three"),
    Kind("bernoulli_nb_whole", BernoulliNB(), x="whole"),
    Kind("bernoulli_nb_flags", BernoulliNB(), x="flags"),
    Kind("bernoulli_nb_double", BernoulliNB(), x="scaled64", options={"zipmap": False}),
    Kind("complement_nb", ComplementNB(), x="unit"),
    Kind("complement_nb_three", ComplementNB(), x="unit", y="three"),
    Kind("complement_nb_whole", ComplementNB(), x="whole"),
    Kind("complement_nb_double", ComplementNB(), x="doubles", options={"zipmap": False}),
    Kind("gaussian_nb", GaussianNB()),
    Kind("gaussian_nb_opset_9", GaussianNB(), export=at(9)),
    Kind("gaussian_nb_three", GaussianNB(), y="three"),
    Kind("gaussian_nb_text", GaussianNB(), y="three_text", options={"zipmap": False}),
    Kind("gaussian_nb_unscaled", GaussianNB(), x="raw"),
    Kind("gaussian_nb_whole", GaussianNB(), x="whole"),
    Kind("gaussian_nb_flags", GaussianNB(), x="flags"),
    Kind("categorical_nb", CategoricalNB(min_categories=8), x="codes"),
    Kind("categorical_nb_floats", CategoricalNB(min_categories=8), x="float_codes", y="three"),
]
CLUSTERS = [
    Kind("k_means", means(), y=None, says=clusters, decided="smallest"),
    Kind("k_means_unscaled", means(), x="raw", y=None, says=clusters, decided="smallest"),
    Kind("k_means_whole", means(), x="whole", y=None, says=clusters, decided="smallest"),
    Kind("k_means_double", means(), x="scaled64", y=None, says=clusters, decided="smallest"),
    Kind("k_means_nogemm", means(), x="scaled64", y=None, says=clusters, decided="smallest", options={"gemm": False}),
    Kind("k_means_opset_9", means(), y=None, says=clusters, decided="smallest", export=at(9)),
    Kind("k_means_opset_11", means(), y=None, says=clusters, decided="smallest", export=at(11)),
    Kind("k_means_batches", MiniBatchKMeans(4, n_init=2, random_state=1), y=None, says=clusters, decided="smallest"),
]
MIXTURES = [
    *[Kind(f"mixture_{kind}", gaussians(kind), y=None) for kind in ("full", "tied", "diag", "spherical")],
    Kind("mixture_one", gaussians("full", 1), y=None),
    Kind("mixture_scores", gaussians("full"), y=None, options={"score_samples": True}, says=mixture),
    Kind("mixture_no_logsumexp", gaussians("full"), y=None, export=without("ReduceLogSumExp")),
    Kind("mixture_no_argmax", gaussians("full"), y=None, export=without("ReduceLogSumExp", "ArgMax")),
    Kind("mixture_double", gaussians("full"), x="scaled64", y=None),
    Kind("mixture_bayesian", BayesianGaussianMixture(n_components=3, random_state=1), y=None),
    Kind("mixture_bayesian_double", BayesianGaussianMixture(n_components=3, random_state=1), x="scaled64", y=None),
]
KINDS = [*BAYES, *CLUSTERS, *MIXTURES]
