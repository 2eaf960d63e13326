"""A row becomes the document its mapping says, or is rejected."""

from __future__ import annotations

import pytest

from defaultx_training import data, mapping, train

MONEY = {"kind": "money", "currency": "USD", "exponent": 2}
CODES = {"kind": "category", "map": {"1": "one"}}


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ({"kind": "string"}, "x y", "x y"),
        ({"kind": "integer"}, "-2", -2),
        ({"kind": "number"}, "0.5", 0.5),
        ({"kind": "boolean", "map": {"Y": True, "N": False}}, "N", False),
        (CODES, "1", "one"),
        (CODES | {"default": "rest"}, "7", "rest"),
        (MONEY, "60000", {"amount_minor": 6_000_000, "currency": "USD"}),
        (MONEY, "-0.29", {"amount_minor": -29, "currency": "USD"}),
        ({"kind": "date"}, "1997-02-28", "1997-02-28"),
        ({"kind": "datetime"}, "1997-02-28", "1997-02-28T00:00:00Z"),
        ({"kind": "integer"}, "", mapping.ABSENT),
        ({"kind": "integer", "empty": "null"}, "", None),
    ],
)
def test_a_cell_is_read_by_its_kind(column: dict, cell: str, expected: object) -> None:
    assert mapping.cell_value({"name": "c", **column}, cell) == expected


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ({"kind": "integer"}, "1.5"),
        ({"kind": "number"}, "many"),
        (CODES, "2"),
        (MONEY, "0.005"),
        (MONEY, "free"),
        ({"kind": "date"}, "28-Feb-97"),
    ],
)
def test_a_cell_that_does_not_fit_rejects_the_row(column: dict, cell: str) -> None:
    with pytest.raises(mapping.RowRejected):
        mapping.cell_value({"name": "c", **column}, cell)


def test_pointers_make_objects_and_arrays() -> None:
    document: dict = {}
    mapping.put(document, "/applicants/0/facts/telephone", True)
    mapping.put(document, "/applicants/0/role", "primary")
    mapping.put(document, "/tenant", "demo")
    assert document == {"applicants": [{"facts": {"telephone": True}, "role": "primary"}], "tenant": "demo"}


def test_templates_take_columns_and_the_row_number() -> None:
    assert mapping.fill("a-{ID}-{row}", {"ID": "9"}, 3) == "a-9-3"


def test_an_unknown_kind_or_key_is_an_error(tmp_path) -> None:
    for column in ('kind = "colour"', 'kind = "string"\nsacle = 2'):
        path = tmp_path / "mapping.toml"
        path.write_text(f'[[column]]\nname = "c"\npointer = "/c"\n{column}\n')
        with pytest.raises(ValueError, match="unknown"):
            mapping.load(path)


def test_a_file_that_is_written_otherwise_is_not_trained_on(tmp_path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text('[written]\ndecimal = ","\n')
    with pytest.raises(ValueError, match="written"):
        mapping.load(path)


REQUIRED = (
    "tenant application_id revision product intent request_type channel jurisdiction submitted_at as_of applicants requested"
).split()


@pytest.mark.parametrize("product", {product.dataset: product for product, _ in train.PACKAGES.values()}.values(), ids=lambda p: p.dataset)
def test_every_row_of_the_sets_becomes_a_whole_application(product) -> None:
    documents = data.applications(product.dataset)
    assert len({document["application_id"] for document in documents}) == len(documents)
    for document in documents:
        assert all(key in document for key in REQUIRED)
        assert document["product"] == product.product
        assert document["requested"]["amount"]["amount_minor"] > 0
        first = document["applicants"][0]
        assert first["role"] == "primary" and first["customer_ref"] and first["identity"]["national_id"]
