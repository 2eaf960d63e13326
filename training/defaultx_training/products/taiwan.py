"""What the credit-card models read: the last six months of an account, its limit, and ratios between them.

Nothing here reads sex, age, marital status or education: those stay in `protected`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from defaultx_training import data
from defaultx_training.features import Feature, Missing
from defaultx_training.product import Product

MONTHS = range(1, 7)
CURRENCY = "TWD"
AMOUNT_RANGE = (-1.0e7, 1.0e7)
HISTORY_MISSING = "account_history_missing"


def attribute(data: dict, name: str) -> float:
    """A number or a money's minor units, as CEL's double()."""
    try:
        value = data["attributes"][name]
        return float(value["amount_minor"] if isinstance(value, dict) else value)
    except (KeyError, TypeError):
        raise Missing(name) from None


def limit(data: dict) -> float:
    return float(data["requested"]["amount"]["amount_minor"])


def total(data: dict, name: str) -> float:
    """Months added in order, as the expression writes them."""
    result = attribute(data, f"{name}_1")
    for month in MONTHS[1:]:
        result += attribute(data, f"{name}_{month}")
    return result


def bill_share(data: dict) -> float:
    return attribute(data, "bill_amount_1") / limit(data) if limit(data) > 0.0 else 0.0


def mean_bill_share(data: dict) -> float:
    return total(data, "bill_amount") / (6.0 * limit(data)) if limit(data) > 0.0 else 0.0


def bill_growth(data: dict) -> float:
    grown = attribute(data, "bill_amount_1") - attribute(data, "bill_amount_6")
    return grown / limit(data) if limit(data) > 0.0 else 0.0


def paid_share(data: dict) -> float:
    bills = total(data, "bill_amount")
    return total(data, "payment_amount") / bills if bills > 0.0 else 1.0


def months_late(data: dict) -> float:
    result = 0.0
    for month in MONTHS:
        result += 1.0 if attribute(data, f"repayment_status_{month}") > 0.0 else 0.0
    return result


def months_unused(data: dict) -> float:
    result = 0.0
    for month in MONTHS:
        result += 1.0 if attribute(data, f"repayment_status_{month}") < -1.0 else 0.0
    return result


def cel_amount(name: str) -> str:
    return f"double(data.attributes.{name}.amount_minor)"


def cel_total(name: str) -> str:
    return "(" + " + ".join(cel_amount(f"{name}_{month}") for month in MONTHS) + ")"


def cel_count(condition: str) -> str:
    one = "(double(data.attributes.repayment_status_{month}) {condition} ? 1.0 : 0.0)"
    return " + ".join(one.format(month=month, condition=condition) for month in MONTHS)


CEL_LIMIT = "double(data.requested.amount.amount_minor)"


def over_limit(numerator: str, factor: str = "") -> str:
    return f"{CEL_LIMIT} > 0.0 ? {numerator} / {f'({factor} * {CEL_LIMIT})' if factor else CEL_LIMIT} : 0.0"


def status(month: int) -> Feature:
    return Feature(
        f"repayment_status_{month}", "integer", LATE, pointer=f"/attributes/repayment_status_{month}",
        unit="months late (-2 unused, -1 paid, 0 revolving)", range=(-2.0, 9.0), required=month == 1,
        about=f"repayment status {month} month(s) back",
    )  # fmt: skip


def amount(name: str, reasons: tuple[str, str, str], monotone: str) -> Feature:
    return Feature(
        name, "money", reasons, pointer=f"/attributes/{name}", unit=f"minor:{CURRENCY}", scale=0.01, range=AMOUNT_RANGE,
        monotone=monotone, about=month_words(name),
    )  # fmt: skip


def month_words(name: str) -> str:
    """`bill_amount_1` as words."""
    kind, month = name.rsplit("_", 1)
    return f"{kind.replace('_', ' ')}, {month} month(s) back"


def ratio(name: str, expr: str, mirror: Callable[[dict], float], reasons: tuple[str, str, str],
          bounds: tuple[float, float], about: str, monotone: str = "none") -> Feature:  # fmt: skip
    return Feature(
        name, "number", reasons, expr=expr, mirror=mirror, range=bounds, monotone=monotone, about=about
    )


LATE = ("repayment_pattern", "poor_performance_with_us", HISTORY_MISSING)
BALANCE = ("balance_low", "balance_high", HISTORY_MISSING)
PAYMENT = ("payments_low", "payments_high", HISTORY_MISSING)
UNUSED = ("repayment_pattern", "account_unused", HISTORY_MISSING)
LIMIT = ("credit_limit_low", "credit_limit_high", HISTORY_MISSING)

CEL_BILL_SHARE = over_limit(cel_amount("bill_amount_1"))
CEL_MEAN_BILL_SHARE = over_limit(cel_total("bill_amount"), "6.0")
CEL_BILL_GROWTH = over_limit(f"({cel_amount('bill_amount_1')} - {cel_amount('bill_amount_6')})")
CEL_PAID_SHARE = (
    f"{cel_total('bill_amount')} > 0.0 ? {cel_total('payment_amount')} / {cel_total('bill_amount')} : 1.0"
)

FEATURES = [
    Feature(
        "limit", "money", LIMIT, pointer="/requested/amount", unit=f"minor:{CURRENCY}", scale=0.01, range=(0.0, 1.0e8),
        monotone="decreasing", actionable=False, required=True, about="the credit limit under review",
    ),
    *[status(month) for month in MONTHS],
    ratio("months_late", cel_count("> 0.0"), months_late, LATE, (0.0, 6.0), "months of six with a late payment", "increasing"),
    ratio("months_unused", cel_count("< -1.0"), months_unused, UNUSED, (0.0, 6.0), "months of six without use"),
    ratio("bill_share", CEL_BILL_SHARE, bill_share, BALANCE, (-5.0, 10.0), "last bill over limit"),
    ratio("mean_bill_share", CEL_MEAN_BILL_SHARE, mean_bill_share, BALANCE, (-5.0, 10.0), "mean bill over limit"),
    ratio("bill_growth", CEL_BILL_GROWTH, bill_growth, BALANCE, (-10.0, 10.0), "bill now less bill five months ago, over limit"),
    ratio("paid_share", CEL_PAID_SHARE, paid_share, PAYMENT, (0.0, 100.0), "payments over bills of six months; 1 if nothing was billed"),
    amount("bill_amount_1", BALANCE, "none"),
    *[amount(f"payment_amount_{month}", PAYMENT, "decreasing") for month in MONTHS],
]  # fmt: skip


def age_band(age: str) -> str:
    """Ages as lenders' regulators look at them."""
    years = int(age)
    return next(name for top, name in ((25, "to 25"), (40, "26-40"), (61, "41-61"), (200, "62 and over")) if years <= top)


def groups() -> dict[str, np.ndarray]:
    """The protected groups of each row, for fairness tables only."""
    words = {
        "SEX": {"1": "male", "2": "female"},
        "EDUCATION": {"1": "graduate school", "2": "university", "3": "high school", "4": "other"},
        "MARRIAGE": {"1": "married", "2": "single", "3": "other"},
    }
    named = {
        label: np.array([words[column].get(code, "unknown") for code in data.column("taiwan", column)])
        for label, column in (("sex", "SEX"), ("marital status", "MARRIAGE"), ("education", "EDUCATION"))
    }
    return {"age": np.array([age_band(age) for age in data.column("taiwan", "AGE")]), **named}


PRODUCT = Product(
    short="taiwan",
    dataset="taiwan",
    product="credit_card",
    scale_id="credit_card.v1",
    currency="New Taiwan dollar",
    data_source=(
        "Yeh, I-C. (2009). Default of Credit Card Clients. UCI Machine Learning Repository 350, "
        "doi 10.24432/C55S3H. CC BY 4.0."
    ),
    target="default payment in the month after the six observed",
    horizon_months=1,
    threshold=0.25,
    features=FEATURES,
    reasons={
        "account_history_missing": ("Information on the recent history of the account is not available", "other", 6),
        "account_unused": ("Too little recent use of the account", "limited_experience", 3),
        "balance_high": ("Balance is high in relation to the credit limit", "other", 3),
        "balance_low": ("Little recent use of the credit limit", "limited_experience", 3),
        "credit_limit_high": ("Amount of the credit limit", "other", 9),
        "credit_limit_low": ("Amount of the credit limit", "other", 9),
        "payments_high": ("Pattern of recent payments on the account", "other", 3),
        "payments_low": ("Recent payments are low in relation to the balance", "other", 3),
        "repayment_pattern": ("Pattern of recent repayments on the account", "other", 3),
    },
    l1=6.0e-4,
    groups=groups,
    groups_note="The models never see these columns; the set carries them, so the outcome by group can be told.",
    exclusions=[
        ("SEX, AGE, MARRIAGE, EDUCATION", "protected, or a close stand-in for what is; kept in `protected`"),
        ("BILL_AMT2 to BILL_AMT6 one by one", "nearly the same number as the first; they enter through means, growth and shares"),
    ],
    intended=(
        "Periodic review of credit-card accounts that are already open: the chance that a client misses next month's payment. "
        "Not for new applicants, who have no six months of history with the lender, and not for another currency."
    ),
    limits=[
        "One bank in one country over six months of 2005, in the middle of a credit-card debt crisis: the level of pd does not carry over.",
        "The horizon is one month, far shorter than the twelve that most lenders and regulators use.",
        "The set has no dates below the month, so nothing here is out of time.",
        "Status 0 (revolving) ranks safer than -1 (paid in full) in these data; steps of the status are therefore not held monotone.",
        "No value is missing in training. A missing one counts as the cautious quartile of its feature (scorecard) or as the median (net).",
    ],
    tree_settings={
        "xgboost": {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.05},
        "lightgbm": {"n_estimators": 200, "max_depth": 5, "num_leaves": 12, "learning_rate": 0.05},
    },
    reference_auc={"random": {"scorecard": 0.7683, "net": 0.7645, "torch": 0.7645, "xgboost": 0.7762, "lightgbm": 0.7731}},
)
