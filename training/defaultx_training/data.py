"""Reads the committed data sets and splits them. Never fetches anything and never changes a file."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from defaultx_training import mapping

TRAINING = Path(__file__).resolve().parent.parent
MODELS = TRAINING.parent / "models"
LABEL = "default"
TEST_SHARE = 0.3
SPLIT_SEED = 0


def folder(dataset: str) -> Path:
    """Where a data set lies: its CSV, mapping and attribution."""
    return TRAINING / "data" / dataset


@cache
def rows(dataset: str) -> list[mapping.Row]:
    """Every row of a set, cells as text."""
    with gzip.open(folder(dataset) / f"{dataset}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def applications(dataset: str) -> list[dict]:
    """Every row as an application's `data`. Shared between callers: do not change it."""
    return list(mapping.load(folder(dataset) / "mapping.toml").applications(rows(dataset)))


@cache
def labels(dataset: str) -> np.ndarray:
    """1 where the loan defaulted."""
    return np.array([int(row[LABEL]) for row in rows(dataset)], dtype=np.int64)


def column(dataset: str, name: str) -> np.ndarray:
    """One raw column as text, for fairness tables and vintages only."""
    return np.array([row[name] for row in rows(dataset)])


def random_split(dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the stratified 70/30 split that the reference figures use."""
    y = labels(dataset)
    train, test = train_test_split(np.arange(len(y)), test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=y)
    return np.sort(train), np.sort(test)


def time_split(dataset: str, date_column: str) -> tuple[np.ndarray, np.ndarray]:
    """The first 70 % by date, and the rest. Equal dates keep the file's order."""
    order = np.argsort(column(dataset, date_column), kind="stable")
    cut = int(len(order) * (1 - TEST_SHARE))
    return np.sort(order[:cut]), np.sort(order[cut:])
