"""Free text as numbers: counts and weights of words and characters."""

from kind import LABEL, PROBABILITY, Kind, first, made_text
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from skl2onnx.sklapi import TraceableTfidfVectorizer

# The exporter's own, en_US, is not on every machine.
LOCALE = {"locale": "C.UTF-8"}
STOP = ["the", "old", "new"]


def words(name, vectorizer, **said):
    """A kind that learns its words from the first rows."""
    said = {"options": lambda model: {id(model): LOCALE}} | said
    return Kind(name, lambda data: vectorizer.fit(first(data.texts)[:, 0]), x="texts", says=made_text, **said)


def known(data):
    return TfidfVectorizer(vocabulary=["card", "school", "debt"]).fit(first(data.texts)[:, 0])


def weighted(data):
    return TfidfTransformer().fit(first(data.raw))


def classifier(name, *steps):
    def says(model, x):
        return [(LABEL, model.predict(x[:, 0])), (PROBABILITY, model.predict_proba(x[:, 0]))]

    return Kind(
        name,
        lambda d: make_pipeline(*steps).fit(first(d.texts)[:, 0], first(d.two)),
        x="texts",
        says=says,
        options=lambda model: {id(model[0]): LOCALE},
    )


KINDS = [
    words("count", CountVectorizer()),
    words("count_pairs", CountVectorizer(ngram_range=(2, 2))),
    words("count_words_and_pairs", CountVectorizer(ngram_range=(1, 2))),
    words("count_binary", CountVectorizer(binary=True)),
    words("count_pattern", CountVectorizer(token_pattern="[a-zA-Z]+")),
    words("count_stop_words", CountVectorizer(stop_words=STOP)),
    words("tfidf", TfidfVectorizer()),
    words("tfidf_case", TfidfVectorizer(lowercase=False)),
    words("tfidf_no_norm", TfidfVectorizer(norm=None)),
    words("tfidf_l1", TfidfVectorizer(ngram_range=(1, 2), norm="l1")),
    words("tfidf_pairs", TfidfVectorizer(ngram_range=(2, 2))),
    words("tfidf_sublinear", TfidfVectorizer(sublinear_tf=True)),
    words("tfidf_binary", TfidfVectorizer(binary=True)),
    words("tfidf_characters", TfidfVectorizer(analyzer="char", max_features=40)),
    words("tfidf_character_pairs", TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=40)),
    words("tfidf_traceable_pairs", TraceableTfidfVectorizer(ngram_range=(1, 2))),
    words("tfidf_in_words", TfidfVectorizer(analyzer="char_wb", max_features=40)),
    words("tfidf_pattern", TfidfVectorizer(token_pattern="[a-zA-Z]{1,4}")),
    Kind(
        "tfidf_accented",
        lambda data: TfidfVectorizer().fit(first(data.accented)[:, 0]),
        x="accented",
        says=made_text,
        options=lambda model: {id(model): LOCALE},
    ),
    Kind("tfidf_own_words", known, x="texts", says=made_text, options=lambda model: {id(model): LOCALE}),
    Kind("tfidf_transformer", weighted, x="raw"),
    classifier("tfidf_logistic", TfidfVectorizer(), LogisticRegression()),
    classifier("tfidf_svc", TfidfVectorizer(), SVC(probability=True, random_state=1)),
]
