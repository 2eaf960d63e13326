"""What the consumer-loan model reads: the contract's typed facts of the primary applicant, and the loan asked for.

Nothing here reads age, sex, personal status or whether someone is a foreign worker, nor what stands in for them.
"""

from __future__ import annotations

import numpy as np

from defaultx_training import data
from defaultx_training.features import Feature, Missing
from defaultx_training.product import Product

CURRENCY = "DEM"
FACTS = "/applicants/0/facts"
INCOMPLETE = "application_incomplete"


def instalment(data: dict) -> float:
    """Amount by month, in minor units, before interest."""
    try:
        months = float(data["requested"]["term_months"])
    except KeyError:
        raise Missing("term_months") from None
    return float(data["requested"]["amount"]["amount_minor"]) / months if months > 0.0 else 0.0


CEL_INSTALMENT = (
    "double(data.requested.term_months) > 0.0 ? "
    "double(data.requested.amount.amount_minor) / double(data.requested.term_months) : 0.0"
)


def fact(path: str, reasons: tuple[str, ...], categories: str, monotone: str, about: str) -> Feature:
    """One category among the typed facts, named by the end of its path."""
    group, last = path.split("/")
    return Feature(
        f"{group}_{last}" if last == "status" else last, "category", (reasons[0], reasons[1], INCOMPLETE),
        pointer=f"{FACTS}/{path}", unit="category", categories=tuple(categories.split()), monotone=monotone, about=about,
    )  # fmt: skip


ACCOUNT, SAVINGS, HISTORY = ("account_balance",) * 2, ("savings",) * 2, ("credit_history",) * 2
ELSEWHERE, CREDITS, GUARANTOR = ("other_instalments",) * 2, ("existing_credits",) * 2, ("guarantor",) * 2
TENURE, HOUSING = ("employment_length",) * 2, ("housing",) * 2
PURPOSES = (
    "car_used radio_television furniture car_new business education retraining repairs domestic_appliances vacation other"
)

FEATURES = [
    fact("accounts/checking_band", ACCOUNT, "none negative lt_200 ge_200", "decreasing", "balance of the checking account"),
    fact("accounts/savings_band", SAVINGS, "none lt_100 100_500 500_1000 ge_1000", "decreasing", "savings"),
    fact(
        "obligations/credit_history", HISTORY, "delayed critical none_or_all_paid existing_paid all_paid_here", "decreasing",
        "how earlier credits went",
    ),
    fact("obligations/other_instalment_plans", ELSEWHERE, "bank stores none", "decreasing", "instalment plans elsewhere"),
    fact("obligations/existing_credits_band", CREDITS, "1 2_3 4_5 ge_6", "none", "credits at this bank, this one included"),
    fact("obligations/other_debtors", GUARANTOR, "none co_applicant guarantor", "none", "others who are liable"),
    fact("employment/tenure_band", TENURE, "none lt_1y 1_4y 4_7y ge_7y", "decreasing", "time with the present employer"),
    fact("housing/status", HOUSING, "free rent own", "none", "how the applicant lives"),
    Feature(
        "purpose", "category", ("loan_purpose", "loan_purpose", INCOMPLETE), pointer="/requested/purpose", unit="category",
        categories=tuple(PURPOSES.split()), about="what the loan is for",
    ),
    Feature(
        "term_months", "integer", ("term_requested", "term_requested", INCOMPLETE), pointer="/requested/term_months",
        unit="months", range=(1.0, 600.0), monotone="increasing", about="term asked for",
    ),
    Feature(
        "amount", "money", ("amount_requested", "amount_requested", INCOMPLETE), pointer="/requested/amount",
        unit=f"minor:{CURRENCY}", scale=0.01, range=(0.0, 1.0e7), required=True, about="amount asked for",
    ),
    Feature(
        "monthly_principal", "number", ("instalment", "instalment", INCOMPLETE), expr=CEL_INSTALMENT, mirror=instalment,
        unit="minor units a month", range=(0.0, 1.0e9), monotone="increasing", about="amount over term, before interest",
    ),
]  # fmt: skip


def groups() -> dict[str, np.ndarray]:
    """The protected groups of each row, for fairness tables only."""
    status = {
        "1": "male, divorced or separated",
        "2": "female not single, or male single",
        "3": "male, married or widowed",
        "4": "female, single",
    }
    ages = [int(age) for age in data.column("south_german", "age")]
    return {
        "age": np.array(["to 25" if age <= 25 else "26-40" if age <= 40 else "over 40" for age in ages]),
        "sex and status": np.array([status[code] for code in data.column("south_german", "personal_status_sex")]),
        "foreign worker": np.array(
            ["yes" if code == "1" else "no" for code in data.column("south_german", "foreign_worker")]
        ),
    }


PRODUCT = Product(
    short="german",
    dataset="south_german",
    product="consumer_instalment",
    scale_id="consumer_instalment.v1",
    currency="Deutsche Mark",
    data_source=(
        "Groemping, U. (2019). South German Credit. UCI Machine Learning Repository 573, doi 10.24432/C5QG88. CC BY 4.0."
    ),
    target="the bank called the loan bad: its contract was not kept",
    horizon_months=72,
    threshold=0.35,
    features=FEATURES,
    reasons={
        "account_balance": ("Balance of the checking account", "other", 9),
        "amount_requested": ("Amount of credit requested", "other", 9),
        "credit_history": ("Course of earlier credits", "other", 3),
        "existing_credits": ("Number of existing credits", "other", 3),
        "guarantor": ("Guarantor or co-applicant", "other", 9),
        "housing": ("Housing situation", "other", 9),
        "instalment": ("Monthly instalment of the credit requested", "other", 9),
        "loan_purpose": ("Purpose of the credit requested", "other", 9),
        "other_instalments": ("Instalment plans with other lenders", "other", 3),
        "savings": ("Savings", "other", 9),
        "term_requested": ("Term of the credit requested", "other", 9),
    },
    l1=1.5e-3,
    l2=1.0e-2,
    kinds=("scorecard",),
    groups=groups,
    groups_note=(
        "The model never sees these columns. Sex cannot be fully recovered: the source puts single men and women who are not "
        "single into one code."
    ),
    exclusions=[
        ("age, personal_status_sex, foreign_worker", "protected; kept in `protected`"),
        ("job", "its lowest level means a non-resident, so it stands in for who is a foreign worker"),
        ("people_liable", "the number of dependants stands in for family status"),
        ("telephone", "a mark of the nineteen-seventies, and of wealth"),
        ("present_residence", "no gain in cross-validation on the training rows"),
        (
            "property, installment_rate",
            "in these data owners of property and those with a light burden default more; held to the sensible direction "
            "they get no points at all",
        ),
    ],
    intended=(
        "Consumer instalment loans, where the applicant's answers arrive as typed facts. It shows the path from the contract's "
        "`facts` to a decision; it is fifty years old and should decide on nobody today."
    ),
    limits=[
        "700 rows to train and 300 to test: the intervals are wide, and a difference of 0.02 in AUC means nothing.",
        "Bad loans were over-sampled by the bank to 30 %; pd is the chance in the sample, several times a real portfolio's.",
        "Only loans that were granted are in the set; the rejected are unknown.",
        "All amounts are Deutsche Mark of 1973 to 1975; an application in any other currency is unscorable.",
        "`savings_band` = `none` also holds unknown savings, as in the source.",
        "No value is missing in training. A missing one counts as the cautious quartile of its feature.",
    ],
    reference_auc={"random": {"scorecard": 0.7606}},
)
