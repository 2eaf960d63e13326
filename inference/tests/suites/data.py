"""Loan applications that nobody made: the rows on which every kind is trained and asked. Small, and the same each time."""

from functools import cached_property

import numpy as np
import pandas

# More than two blocks of 256 rows, of which the first are the ones that were learned.
ROWS = 640
TRAINED_ON = 300
WORDS = "rent salary card holiday roof car school doctor debt refund bonus repair old new urgent small boat".split()


class Data:
    """Features and targets by name. Features of single precision hold such numbers, so no rounding is between the library
    and the file."""

    numbers = ["income", "utilisation", "age", "tenure", "inquiries", "delinquencies"]

    def __init__(self):
        self.draw = np.random.default_rng(11)
        draw = self.draw
        self.income = np.round(draw.lognormal(3.6, 0.5, ROWS), 2)
        self.utilisation = np.round(draw.beta(1.5, 2.0, ROWS) * 1.2, 3)
        self.age = draw.integers(19, 75, ROWS)
        self.tenure = draw.integers(0, 240, ROWS)
        self.inquiries = draw.poisson(1.5, ROWS)
        self.delinquencies = draw.poisson(0.4, ROWS)
        self.region = draw.integers(0, 6, ROWS)
        self.noise = draw.normal(size=ROWS)
        self.holes = draw.random((ROWS, 6)) < 0.1
        self.picks = draw.integers(0, len(WORDS), (ROWS, 7))
        self.lengths = draw.integers(2, 8, ROWS)

    # Features.

    @cached_property
    def doubles(self):
        """Numbers with decimals that no binary fraction holds."""
        return np.column_stack([self.income, self.utilisation, self.age, self.tenure, self.inquiries, self.delinquencies])

    @cached_property
    def raw(self):
        return self.doubles.astype(np.float32)

    @cached_property
    def scaled64(self):
        return (self.doubles - self.doubles.mean(axis=0)) / self.doubles.std(axis=0)

    @cached_property
    def scaled(self):
        return np.round(self.scaled64, 3).astype(np.float32)

    @cached_property
    def one64(self):
        """A single feature."""
        return self.scaled64[:, :1]

    @cached_property
    def unit(self):
        """Between 0 and 1, a few of them exactly those."""
        return ((self.raw - self.raw.min(axis=0)) / np.ptp(self.raw, axis=0)).astype(np.float32)

    @cached_property
    def positive(self):
        return self.raw + np.float32(1)

    @cached_property
    def holed(self):
        """A tenth of the numbers is missing."""
        return np.where(self.holes, np.float32(np.nan), self.raw)

    @cached_property
    def holed64(self):
        return np.where(self.holes, np.nan, self.doubles)

    @cached_property
    def one_hole(self):
        """In a single column."""
        x = self.scaled.copy()
        x[self.holes[:, 1], 1] = np.nan
        return x

    @cached_property
    def zeros(self):
        """Sparse: most of it is 0."""
        return np.where(self.holes | np.roll(self.holes, 3, axis=1), self.raw, np.float32(0))

    @cached_property
    def whole(self):
        return np.column_stack([self.age, self.tenure, self.inquiries, self.delinquencies, self.region]).astype(np.int64)

    @cached_property
    def whole_holed(self):
        """-1 where a whole number is missing."""
        return np.where(self.holes[:, :5], -1, self.whole)

    @cached_property
    def flags(self):
        return self.scaled > 0

    @cached_property
    def codes(self):
        """Codes of categories, from 0 on."""
        return np.column_stack([self.region, np.minimum(self.inquiries, 3), np.minimum(self.delinquencies, 2)]).astype(np.int64)

    @cached_property
    def codes32(self):
        return self.codes.astype(np.int32)

    @cached_property
    def float_codes(self):
        return self.codes.astype(np.float32)

    @cached_property
    def code(self):
        return self.codes[:, :1]

    @cached_property
    def float_code(self):
        return self.float_codes[:, :1]

    @cached_property
    def code_two(self):
        return self.two.reshape(-1, 1)

    @cached_property
    def one_hole_codes(self):
        """Codes of which some are missing."""
        return np.where(self.holes[:, :3], np.float32(np.nan), self.float_codes)

    @cached_property
    def coded(self):
        """Numbers, and a category in the last column."""
        return np.column_stack([self.raw, self.region.astype(np.float32)])

    @cached_property
    def coded_holed(self):
        return np.column_stack([self.holed, self.region.astype(np.float32)])

    @cached_property
    def words(self):
        """Two columns of categories as text."""
        home = np.array(["own", "rent", "other", "ümlaut", "with parents", ""], object)[self.region]
        return np.column_stack([home, np.where(self.flags[:, 0], "yes", "no").astype(object)])

    @cached_property
    def word(self):
        return self.words[:, :1]

    @cached_property
    def unseen(self):
        """Categories of which some are in no row that was learned."""
        x = self.words.copy()
        x[TRAINED_ON + 7 :: 7, 0] = "houseboat"
        return x

    @cached_property
    def texts(self):
        """What applicants write into the free field, some of it empty."""
        said = [" ".join(WORDS[at] for at in picks[:size]) for picks, size in zip(self.picks, self.lengths, strict=True)]
        said = [text.replace("card ", "Card, ").replace("roof", "roof!") if row % 3 else text for row, text in enumerate(said)]
        return np.array(["" if row % 97 == 96 else text for row, text in enumerate(said)], object).reshape(-1, 1)

    @cached_property
    def accented(self):
        """The same with letters beyond those of English."""
        return np.array([[text.replace("boat", "Müßiggang").replace("roof", "façade")] for text in self.texts[:, 0]], object)

    @cached_property
    def frame(self):
        """Columns of numbers and text, each an input by its name."""
        numbers = pandas.DataFrame(dict(zip(self.numbers, self.holed.T, strict=True)))
        return numbers.assign(home=self.words[:, 0], phone=self.words[:, 1])

    @cached_property
    def mixed_frame(self):
        """Whole numbers beside numbers."""
        return pandas.DataFrame({"age": self.whole[:, 0], "tenure": self.whole[:, 1], "income": self.raw[:, 0]})

    @cached_property
    def number_frame(self):
        return pandas.DataFrame(dict(zip(self.numbers, self.scaled.T, strict=True)))

    @cached_property
    def code_frame(self):
        """Codes of categories and their names, for encoders over both."""
        return pandas.DataFrame({"region": self.codes[:, 0], "home": self.words[:, 0], "phone": self.words[:, 1]})

    @cached_property
    def text_frame(self):
        return pandas.DataFrame({"purpose": self.texts[:, 0], "note": np.roll(self.texts[:, 0], 5), "income": self.scaled[:, 0]})

    @cached_property
    def dicts(self):
        """Rows as dictionaries."""
        return [dict(zip(self.numbers, map(float, row), strict=True)) for row in self.raw]

    # Targets.

    @cached_property
    def margin(self):
        own = self.scaled64
        return own[:, 1] - 0.6 * own[:, 0] + 0.7 * own[:, 5] + 0.4 * own[:, 4] * (own[:, 2] > 0) + 0.7 * self.noise

    @cached_property
    def two(self):
        return (self.margin > 0.4).astype(np.int64)

    @cached_property
    def three(self):
        return np.digitize(self.margin, [-0.5, 0.8])

    @cached_property
    def bytes(self):
        return self.three.astype(np.uint8)

    @cached_property
    def four(self):
        return np.digitize(self.margin, [-0.8, 0.0, 0.9])

    @cached_property
    def two_text(self):
        return np.array(["good", "bad"], object)[self.two]

    @cached_property
    def three_text(self):
        return np.array(["paid", "late", "default"], object)[self.three]

    @cached_property
    def two_flags(self):
        return self.two.astype(bool)

    @cached_property
    def graded(self):
        """Labels that do not start at 0."""
        return self.three * 2 + 3

    @cached_property
    def many_labels(self):
        """Three yes-or-no answers at once."""
        return np.column_stack([self.two, self.margin + np.roll(self.noise, 1) > 0, self.scaled64[:, 2] > 0]).astype(np.int64)

    @cached_property
    def constant_label(self):
        """Of three yes-or-no answers one is always yes where it was learned."""
        return np.column_stack([self.two, np.ones_like(self.two), self.two_targets[:, 0] > 1]).astype(np.int64)

    @cached_property
    def two_targets(self):
        """Two targets of classes."""
        return np.column_stack([self.three, self.two])

    @cached_property
    def amount(self):
        return np.round(2 * self.margin + self.income / 40, 4)

    @cached_property
    def amounts(self):
        return np.column_stack([self.amount, np.round(self.margin * self.scaled64[:, 2], 4)])

    @cached_property
    def loss(self):
        """Above 0."""
        return np.exp(self.margin / 2)

    @cached_property
    def counts(self):
        return np.random.default_rng(5).poisson(np.exp(self.margin / 2)).astype(np.float64)

    def names(self, x: str, width: int) -> list[str]:
        """Of the columns of a file with these features."""
        special = {"whole": ["age", "tenure", "inquiries", "delinquencies", "region"], "coded": [*self.numbers, "region"]}
        own = special.get(x.rstrip("32"), self.numbers)
        if x in ("words", "unseen", "word"):
            own = ["home", "phone"]
        return own if len(own) == width else [f"x{at}" for at in range(width)]
