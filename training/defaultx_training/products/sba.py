"""What the small-business models read: size and guarantee of the loan, the business, and which bank asks for it.

Nothing here reads the final term, disbursement, charge-off or Zip; State serves only to tell whether the bank is in it.
"""

from __future__ import annotations

import numpy as np

from defaultx_training import data
from defaultx_training.features import Feature, Missing
from defaultx_training.product import Product

CURRENCY = "USD"
INCOMPLETE = "application_incomplete"
# Every three-digit industry may have points of its own; those with few loans share their neighbour's.
INDUSTRY_EDGES = tuple(code - 0.5 for code in range(110_000, 930_000, 1_000))
# Lines of credit come in round amounts, which tell the programme: an edge on each side of the usual ones.
ROUND_AMOUNTS = (5e3, 10e3, 15e3, 20e3, 25e3, 30e3, 35e3, 40e3, 50e3, 60e3, 75e3, 100e3, 150e3)
AMOUNT_EDGES = tuple(edge for amount in ROUND_AMOUNTS for edge in (amount - 1.0, amount)) + (2e5, 3e5, 5e5, 7.5e5, 1e6)
# Programmes guarantee 50, 75, 80 or 85 %. Above 80 % all loans share one bin: see the card.
SHARE_EDGES = (0.4999, 0.5, 0.7499, 0.75, 0.7999)
# Banks' states by number of loans, so that those with few end up in one bin.
BANK_STATES = (
    "NC VA RI CA IL DE SD OH UT NY TX PA WI GA MD MN MA MS MO IN NJ CO FL AL IA CT MT OR KS WA MI DC AR OK KY LA TN "
    "SC NE NH AZ ND NM NV VT ID ME WV HI WY AK PR "
).split()


def requested_amount(data: dict) -> float:
    return float(data["requested"]["amount"]["amount_minor"])


def attribute(data: dict, name: str):
    """An attribute, or missing as CEL says it."""
    try:
        return data["attributes"][name]
    except KeyError:
        raise Missing(name) from None


def guaranteed_share(data: dict) -> float:
    amount = requested_amount(data)
    return float(attribute(data, "guaranteed_amount")["amount_minor"]) / amount if amount > 0.0 else 0.0


def amount_per_employee(data: dict) -> float:
    return requested_amount(data) / (float(attribute(data, "employees")) + 1.0)


def bank_in_state(data: dict) -> bool:
    return "US-" + attribute(data, "bank_state") == data["jurisdiction"]


def bank_channel(data: dict) -> str:
    return attribute(data, "bank_state") + ("/line" if attribute(data, "revolving") == "yes" else "")


CEL_AMOUNT = "double(data.requested.amount.amount_minor)"
CEL_SHARE = f"{CEL_AMOUNT} > 0.0 ? double(data.attributes.guaranteed_amount.amount_minor) / {CEL_AMOUNT} : 0.0"
CEL_PER_EMPLOYEE = f"{CEL_AMOUNT} / (double(data.attributes.employees) + 1.0)"
CEL_BANK_IN_STATE = '"US-" + data.attributes.bank_state == data.jurisdiction'
CEL_BANK_CHANNEL = 'data.attributes.bank_state + (data.attributes.revolving == "yes" ? "/line" : "")'


def reasons(code: str) -> tuple[str, str, str]:
    return (code, code, INCOMPLETE)


FEATURES = [
    Feature(
        "amount", "money", reasons("amount_requested"), pointer="/requested/amount", unit=f"minor:{CURRENCY}", scale=0.01,
        range=(0.0, 1.0e8), edges=AMOUNT_EDGES, required=True, about="gross amount asked for",
    ),
    Feature(
        "guaranteed_share", "number", reasons("guarantee_share"), expr=CEL_SHARE, mirror=guaranteed_share, range=(0.0, 1.0),
        edges=SHARE_EDGES, about="share that the agency guarantees",
    ),
    Feature(
        "naics", "integer", ("industry", "industry", "industry"), pointer="/attributes/naics", unit="NAICS code, 0 not classified",
        range=(0.0, 999_999.0), edges=INDUSTRY_EDGES, actionable=False, about="industry",
    ),
    Feature(
        "employees", "integer", reasons("business_size"), pointer="/attributes/employees", unit="persons",
        range=(0.0, 1.0e5), monotone="decreasing", about="employees",
    ),
    Feature(
        "amount_per_employee", "number", reasons("amount_for_size"), expr=CEL_PER_EMPLOYEE, mirror=amount_per_employee,
        unit="minor units", range=(0.0, 1.0e10), about="amount over employees and owner",
    ),
    Feature(
        "business_stage", "category", reasons("time_in_business"), pointer="/attributes/business_stage", unit="category",
        categories=("existing", "new"), actionable=False, about="existing, or new (two years or less)",
    ),
    Feature(
        "franchise", "boolean", reasons("franchise"), pointer="/attributes/franchise", unit="boolean", actionable=False,
        about="whether it is a franchise",
    ),
    Feature(
        "revolving", "category", reasons("facility_type"), pointer="/attributes/revolving", unit="category",
        categories=("no", "undocumented", "yes"), about="revolving line of credit",
    ),
    Feature(
        "low_doc", "boolean", reasons("loan_programme"), pointer="/attributes/low_doc", unit="boolean",
        about="asked for under the short-form programme",
    ),
    Feature(
        "bank_in_state", "boolean", reasons("bank_location"), expr=CEL_BANK_IN_STATE, mirror=bank_in_state, unit="boolean",
        about="whether the bank sits in the state of the business",
    ),
    Feature(
        "bank_channel", "category", reasons("bank_channel"), expr=CEL_BANK_CHANNEL, mirror=bank_channel, unit="category",
        categories=tuple(state + kind for state in BANK_STATES for kind in ("", "/line")),
        about="the bank's state, lines of credit apart",
    ),
]  # fmt: skip

LARGEST_STATES = 8


def groups() -> dict[str, np.ndarray]:
    """No person is described; states are shown as a stand-in, and vintages for the drift."""
    states, years = data.column("sba_national_22k", "State"), data.column("sba_national_22k", "ApprovalFY")
    names, counts = np.unique(states, return_counts=True)
    largest = set(names[np.argsort(-counts, kind="stable")[:LARGEST_STATES]])
    return {
        "state": np.array([state if state in largest else "the others" for state in states]),
        "setting": np.array(
            [{"1": "urban", "2": "rural"}.get(code, "not recorded") for code in data.column("sba_national_22k", "UrbanRural")]
        ),
        "fiscal year": np.array([year if year >= "2003" else "to 2002" for year in years]),
    }


PRODUCT = Product(
    short="sba",
    dataset="sba_national_22k",
    product="small_business_term",
    scale_id="small_business_term.v1",
    currency="US dollar",
    data_source=(
        "U.S. Small Business Administration, FOIA release, as prepared by Li, Mickel and Taylor (2018), "
        "doi 10.1080/10691898.2018.1434342. Public domain (17 U.S.C. 105)."
    ),
    target="the loan was charged off at any time until 2014",
    horizon_months=120,
    threshold=0.25,
    features=FEATURES,
    reasons={
        "amount_for_size": ("Amount of credit requested in relation to the size of the business", "other", 9),
        "amount_requested": ("Amount of credit requested", "other", 9),
        "bank_channel": ("Bank and kind of facility through which the credit was requested", "other", 9),
        "bank_location": ("Location of the bank in relation to the business", "other", 9),
        "business_size": ("Number of employees of the business", "other", 9),
        "facility_type": ("Kind of facility requested", "other", 9),
        "franchise": ("Franchise status of the business", "other", 9),
        "guarantee_share": ("Share of the credit that is guaranteed", "other", 4),
        "industry": ("Industry of the business", "other", 9),
        "loan_programme": ("Programme under which the credit was requested", "other", 9),
        "time_in_business": ("Length of time in business", "other", 9),
    },
    l1=2.0e-4,
    l2=1.0e-4,
    net_alpha=1.0e-2,
    net_epochs=20,
    groups=groups,
    groups_note=(
        "The set describes businesses, not persons, and carries no protected attribute. State and setting are shown because "
        "they can stand in for who lives there; fiscal years show the drift."
    ),
    exclusions=[
        ("Term", "it is the final term, so it tells how the loan ended"),
        ("DisbursementDate, DisbursementGross", "known after the decision"),
        ("ChgOffDate, ChgOffPrinGr", "the outcome itself"),
        ("Zip, State", "stand in for who lives there; State serves only to tell whether the bank is in the same one"),
        ("ApprovalDate, ApprovalFY", "a calendar date learned as a risk does not carry over"),
        (
            "CreateJob, RetainedJob, UrbanRural",
            "hardly recorded before 2003: to a model they are the calendar again, and they made the out-of-time test worse",
        ),
    ],
    intended=(
        "Loans and lines of credit to small businesses under a guarantee of the agency, scored when the bank applies. The shipped "
        "model is the one trained on the first 70 % by approval date: what a lender could have had at that day."
    ),
    limits=[
        "The drop from the random to the out-of-time figures is real: the last 30 % are the vintages that met the crisis of 2008, "
        "their default rate is far above the training rows', and pd is too low for them. A monitor must see this.",
        "In fiscal 2006, the farthest from training, the scorecard ranks no better than chance: the mix of banks had changed.",
        "Labels of the training rows were complete only years after the split's date; a lender on that day knew less.",
        "A guaranteed share of exactly 1.00 has no default in 682 loans and 0.90 has 81 % in 315: artefacts of what was kept. All "
        "shares above 0.80 share one bin so that neither is learned.",
        "`bank_channel` and `bank_in_state` describe the bank that asks, not the business. They carry much of the ranking, and a "
        "bank that changes its practice changes their meaning.",
        "Only loans that were approved are in the set.",
        "Revolving codes other than Y and N are undocumented in the source and have a bin of their own.",
    ],
    date_column="ApprovalDate",
    split_note="Shipped: first 70 % by approval date to train, last 30 % to test. Compared: 30 % stratified hold-out (seed 0).",
    tree_settings={
        "xgboost": {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.05},
        "lightgbm": {"n_estimators": 200, "max_depth": 5, "num_leaves": 12, "learning_rate": 0.05},
    },
    reference_auc={
        "out of time": {"scorecard": 0.607, "net": 0.607, "torch": 0.607, "xgboost": 0.652, "lightgbm": 0.652},
        "random": {"scorecard": 0.715, "net": 0.715, "torch": 0.715, "xgboost": 0.724, "lightgbm": 0.725},
    },
)
