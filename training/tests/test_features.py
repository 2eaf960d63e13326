"""Features through the application equal features straight from the columns; the contract's rules hold; no leak."""

from __future__ import annotations

import numpy as np
import pytest

from defaultx_training import data, features, mapping, train
from defaultx_training.features import MISSING, Feature
from defaultx_training.products import german, sba, taiwan

PRODUCTS = {product.dataset: product for product, _ in train.PACKAGES.values()}


def numbers(dataset: str, column: str) -> np.ndarray:
    return data.column(dataset, column).astype(np.float64)


def minor(dataset: str, column: str) -> np.ndarray:
    return numbers(dataset, column) * 100.0


def coded(dataset: str, column: str, codes: str) -> np.ndarray:
    """The position of each cell among the codes; the sentinel if it is none of them."""
    order = codes.split()
    return np.array([order.index(cell) if cell in order else MISSING for cell in data.column(dataset, column)])


def taiwan_columns() -> dict[str, np.ndarray]:
    limit = minor("taiwan", "LIMIT_BAL")
    status = [numbers("taiwan", f"PAY_{month}") for month in range(1, 7)]
    bills = [minor("taiwan", f"BILL_AMT{month}") for month in range(1, 7)]
    paid = [minor("taiwan", f"PAY_AMT{month}") for month in range(1, 7)]
    billed = sum(bills)
    columns = {f"repayment_status_{month}": status[month - 1] for month in range(1, 7)}
    columns |= {f"payment_amount_{month}": paid[month - 1] * 0.01 for month in range(1, 7)}
    return columns | {
        "limit": limit * 0.01,
        "months_late": sum((late > 0).astype(float) for late in status),
        "months_unused": sum((late < -1).astype(float) for late in status),
        "bill_share": bills[0] / limit,
        "mean_bill_share": billed / (6.0 * limit),
        "bill_growth": (bills[0] - bills[5]) / limit,
        "paid_share": np.where(billed > 0, sum(paid) / np.where(billed > 0, billed, 1.0), 1.0),
        "bill_amount_1": bills[0] * 0.01,
    }


def sba_columns() -> dict[str, np.ndarray]:
    name = "sba_national_22k"
    amount, banks, states = minor(name, "GrAppv"), data.column(name, "BankState"), data.column(name, "State")
    lines = data.column(name, "RevLineCr")
    channels = list(sba.FEATURES[-1].categories)
    channel = [channels.index(b + ("/line" if r == "Y" else "")) if b and r else MISSING for b, r in zip(banks, lines, strict=True)]
    return {
        "amount": amount * 0.01,
        "guaranteed_share": minor(name, "SBA_Appv") / amount,
        "naics": numbers(name, "NAICS"),
        "employees": numbers(name, "NoEmp"),
        "amount_per_employee": amount / (numbers(name, "NoEmp") + 1.0),
        "business_stage": coded(name, "NewExist", "1 2"),
        "franchise": ~np.isin(data.column(name, "FranchiseCode"), ["0", "1"]),
        "revolving": np.select([lines == "", lines == "N", lines == "Y"], [MISSING, 0.0, 2.0], 1.0),
        "low_doc": data.column(name, "LowDoc") == "Y",
        "bank_in_state": np.where(banks == "", MISSING, banks == states),
        "bank_channel": np.array(channel),
    }


def german_columns() -> dict[str, np.ndarray]:
    name = "south_german"
    amount, term = minor(name, "amount"), numbers(name, "duration")
    return {
        "checking_band": coded(name, "status", "1 2 3 4"),
        "savings_band": coded(name, "savings", "1 2 3 4 5"),
        "credit_history": coded(name, "credit_history", "0 1 2 3 4"),
        "other_instalment_plans": coded(name, "other_installment_plans", "1 2 3"),
        "existing_credits_band": coded(name, "number_credits", "1 2 3 4"),
        "other_debtors": coded(name, "other_debtors", "1 2 3"),
        "tenure_band": coded(name, "employment_duration", "1 2 3 4 5"),
        "housing_status": coded(name, "housing", "1 2 3"),
        "purpose": coded(name, "purpose", "2 4 3 1 10 7 9 6 5 8 0"),
        "term_months": term,
        "amount": amount * 0.01,
        "monthly_principal": amount / term,
    }


DIRECT = {"taiwan": taiwan_columns, "sba_national_22k": sba_columns, "south_german": german_columns}


@pytest.mark.parametrize("dataset", PRODUCTS)
def test_through_the_application_equals_straight_from_the_columns(dataset: str) -> None:
    product, direct = PRODUCTS[dataset], DIRECT[dataset]()
    through = train.sentinel_matrix(product)
    assert set(direct) == {feature.name for feature in product.features}
    for index, feature in enumerate(product.features):
        low, high = feature.range or (-np.inf, np.inf)
        column = np.asarray(direct[feature.name], dtype=np.float64)
        expected = np.where(column == MISSING, MISSING, np.clip(column, low, high)).astype(np.float32)
        np.testing.assert_array_equal(through[:, index], expected, err_msg=feature.name)


NEVER = {
    "taiwan": ["SEX", "AGE", "MARRIAGE", "EDUCATION", "default"],
    "sba_national_22k": [
        "Term", "DisbursementDate", "DisbursementGross", "ChgOffDate", "ChgOffPrinGr", "ApprovalDate", "ApprovalFY", "Zip",
        "CreateJob", "RetainedJob", "UrbanRural", "default",
    ],
    "south_german": ["age", "foreign_worker", "personal_status_sex", "job", "people_liable", "telephone", "default"],
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "column"), [(dataset, column) for dataset in NEVER for column in NEVER[dataset]])
def test_no_feature_moves_with_a_protected_or_later_column(dataset: str, column: str) -> None:
    """Each of the first rows takes the column's value from another row, where the two differ."""
    product, rows = PRODUCTS[dataset], data.rows(dataset)
    reader = mapping.load(data.folder(dataset) / "mapping.toml")
    missing = [MISSING] * len(product.features)
    first = rows[0]
    others = {row[column]: row for row in rows}.keys() - {first[column]}
    assert others
    before = features.row(product.features, reader.application(first, 1), missing)
    for value in sorted(others)[:50]:
        if column in ("ApprovalDate",) or value != "":
            after = features.row(product.features, reader.application(first | {column: value}, 1), missing)
            np.testing.assert_array_equal(before, after)


AMOUNT = Feature("a", "money", ("l", "h", "m"), pointer="/a", unit="minor:TWD", scale=0.01, range=(0.0, 100.0))
CODE = Feature("c", "category", ("l", "h", "m"), pointer="/x/0/c", categories=("u", "v"))


@pytest.mark.parametrize(
    ("feature", "document", "expected"),
    [
        (AMOUNT, {"a": {"amount_minor": 1234, "currency": "TWD"}}, 12.34),
        (AMOUNT, {"a": {"amount_minor": 10**9, "currency": "TWD"}}, 100.0),
        (AMOUNT, {"a": {"amount_minor": -5, "currency": "TWD"}}, 0.0),
        (AMOUNT, {"a": None}, MISSING),
        (AMOUNT, {}, MISSING),
        (CODE, {"x": [{"c": "v"}]}, 1.0),
        (CODE, {"x": [{"c": "w"}]}, MISSING),
        (CODE, {"x": []}, MISSING),
    ],
)
def test_the_contract_reads_a_value(feature: Feature, document: dict, expected: float) -> None:
    assert feature.value(document, MISSING) == pytest.approx(expected, abs=1e-12)


def test_another_currency_and_a_missing_required_value_are_unscorable() -> None:
    with pytest.raises(features.Unscorable):
        AMOUNT.value({"a": {"amount_minor": 1, "currency": "USD"}}, MISSING)
    required = Feature("r", "number", ("l", "h", "m"), pointer="/r", required=True)
    with pytest.raises(features.Unscorable):
        required.value({}, MISSING)


@pytest.mark.parametrize(
    ("mirror", "document", "expected"),
    [
        (taiwan.paid_share, {"attributes": {f"bill_amount_{m}": {"amount_minor": 0} for m in range(1, 7)}}, 1.0),
        (taiwan.bill_share, {"requested": {"amount": {"amount_minor": 0}}, "attributes": {}}, 0.0),
        (german.instalment, {"requested": {"amount": {"amount_minor": 1200}, "term_months": 0}}, 0.0),
        (sba.guaranteed_share, {"requested": {"amount": {"amount_minor": 0}}, "attributes": {}}, 0.0),
    ],
)
def test_a_zero_denominator_takes_the_ternary_s_other_branch(mirror, document: dict, expected: float) -> None:
    assert mirror(document) == expected
