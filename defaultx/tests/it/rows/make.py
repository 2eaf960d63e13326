"""Writes the Parquet files that `model run` and `model import` are tested with, out of the CSV files beside the stock exports.

    python3 -m venv target/rows-venv
    target/rows-venv/bin/pip install pandas==3.1.1 pyarrow==26.0.1
    target/rows-venv/bin/python defaultx/tests/it/rows/make.py
"""

import datetime
import decimal
from pathlib import Path

import numpy as np
import pandas
import pyarrow
from pyarrow import parquet

HERE = Path(__file__).parent
GRAPHS = HERE.parent / "graphs"


def exports():
    # As pandas writes them: snappy, dictionaries, nullable columns, in several row groups, with the index that a filter leaves.
    frame = pandas.read_csv(GRAPHS / "pipeline.csv")
    frame.index = np.arange(len(frame)) * 7 % 41
    frame.to_parquet(HERE / "pipeline.parquet", row_group_size=16)
    frame = pandas.read_csv(GRAPHS / "xgboost.csv").astype({"income": "float32", "months": "float64"})
    # NaN that is no null, as pyarrow and Polars may write it; the other packings and the newer pages.
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    table = table.set_column(1, "income", pyarrow.array(frame["income"].to_numpy(), from_pandas=False))
    parquet.write_table(table, HERE / "xgboost.parquet", compression="zstd", data_page_version="2.0")
    frame = pandas.read_csv(GRAPHS / "lightgbm.csv")
    frame.to_parquet(HERE / "lightgbm.parquet", index=False, compression="gzip")
    frame = pandas.read_csv(GRAPHS / "catboost.csv")
    frame.to_parquet(HERE / "catboost.parquet", index=False, compression="lz4", use_dictionary=False)


def kinds():
    """A column of each kind that is read, and of each that is not."""
    day = datetime.date(2020, 1, 1)
    columns = {
        "flag": pyarrow.array([True, False, None]),
        "byte": pyarrow.array([1, -2, None], pyarrow.int8()),
        "short": pyarrow.array([1, -2, None], pyarrow.int16()),
        "int": pyarrow.array([2**31 - 1, -(2**31), None], pyarrow.int32()),
        "long": pyarrow.array([2**63 - 1, -(2**63), None], pyarrow.int64()),
        "unsigned": pyarrow.array([2**32 - 1, 0, None], pyarrow.uint32()),
        "long_unsigned": pyarrow.array([2**63 - 1, 0, None], pyarrow.uint64()),
        "single": pyarrow.array([0.1, float("nan"), None], pyarrow.float32()),
        "double": pyarrow.array([0.1, float("nan"), None], pyarrow.float64()),
        "text": pyarrow.array(["own", "", None], pyarrow.string()),
        "large_text": pyarrow.array(["a much longer text", "é", None], pyarrow.large_string()),
        "category": pyarrow.array(["own", "rent", None]).dictionary_encode(),
        "nothing": pyarrow.nulls(3),
        "beyond": pyarrow.array([2**64 - 1, 0, None], pyarrow.uint64()),
        "date": pyarrow.array([day, day, None]),
        "instant": pyarrow.array([datetime.datetime(2020, 1, 1)] * 2 + [None]),
        "time": pyarrow.array([datetime.time(1), None, None]),
        "span": pyarrow.array([decimal.Decimal("1.5"), decimal.Decimal("2.5"), None]),
        "bytes": pyarrow.array([b"a", b"b", None]),
        "half": pyarrow.array(np.array([1, 2, 3], np.float16)),
        "list": pyarrow.array([[1, 2], [], None]),
        "record": pyarrow.array([{"a": 1, "b": 2}, None, None]),
    }
    # Behind the lists, of which each has columns of its own.
    columns["last"] = pyarrow.array([1.5, 2.5, 3.5])
    fields = [pyarrow.field(name, column.type, name != "last") for name, column in columns.items()]
    table = pyarrow.Table.from_arrays(list(columns.values()), schema=pyarrow.schema(fields))
    parquet.write_table(table, HERE / "kinds.parquet", store_schema=False)


def damaged():
    """Small ones that the tests damage: of each packing and encoding a few rows."""
    count = 24
    columns = {
        "number": pyarrow.array([None if at % 5 == 0 else at / 8 for at in range(count)]),
        "whole": pyarrow.array(range(count), pyarrow.int64()),
        "word": pyarrow.array([["own", "rent", None][at % 3] for at in range(count)]),
        "flag": pyarrow.array([at % 2 == 0 for at in range(count)]),
    }
    table = pyarrow.table(columns)
    how = {"row_group_size": 16, "store_schema": False}
    parquet.write_table(table, HERE / "small.parquet", **how)
    encodings = {"whole": "DELTA_BINARY_PACKED", "number": "BYTE_STREAM_SPLIT", "flag": "RLE", "word": "PLAIN"}
    newer = {"use_dictionary": False, "column_encoding": encodings, "data_page_version": "2.0"}
    parquet.write_table(table, HERE / "small-newer.parquet", compression="zstd", **newer, **how)
    parquet.write_table(table, HERE / "small-plain.parquet", compression="none", use_dictionary=False, **how)
    delta = {"use_dictionary": False, "column_encoding": {"word": "DELTA_BYTE_ARRAY"}}
    parquet.write_table(table, HERE / "delta.parquet", **delta, **how)
    parquet.write_table(table, HERE / "brotli.parquet", compression="brotli", **how)


def sample():
    """A sample of the XGBoost export with an outcome, and its library's answers."""
    frame = pandas.read_csv(GRAPHS / "xgboost.csv")
    answers = pandas.read_csv(GRAPHS / "xgboost.expected.csv")
    risk = answers.iloc[:, -1]
    frame["default"] = (risk > risk.sort_values().iloc[len(risk) // 2]) != (np.arange(len(risk)) % 5 == 0)
    frame.to_parquet(HERE / "sample.parquet", index=False)
    pandas.DataFrame({"id": frame["id"], "probability": risk}).to_parquet(HERE / "native.parquet", index=False)


exports()
kinds()
damaged()
sample()
