"""What several tests share: each package trained once a run, and the committed packages."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from defaultx_training import data, package, train
from defaultx_training.train import Fit

BELOW_REFERENCE = 0.005
# The reference models of taiwan saw the protected columns, which ours may not.
PROTECTED_COST = {"taiwan": 0.003}


@dataclass(frozen=True)
class Package:
    """A package as it lies in a folder."""

    folder: Path

    @property
    def manifest(self) -> dict:
        return tomllib.loads((self.folder / "manifest.toml").read_text(encoding="utf-8"))

    @property
    def golden(self) -> dict:
        return json.loads((self.folder / "golden.json").read_text(encoding="utf-8"))

    @property
    def reference(self) -> dict:
        return json.loads((self.folder / "reference.json").read_text(encoding="utf-8"))

    @property
    def graph(self) -> bytes:
        return (self.folder / "model.onnx").read_bytes()

    def contents(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(self.folder.iterdir())}


@pytest.fixture(params=list(train.PACKAGES | train.WITH_TORCH))
def name(request: pytest.FixtureRequest) -> str:
    """The name of each package in turn, those of PyTorch too: what is committed is tested without it."""
    return request.param


@pytest.fixture
def committed(name: str) -> Package:
    """The package in models/."""
    return Package(data.MODELS / name / train.VERSION)


class Trainer:
    """Trains on demand and remembers, so that a run trains each package once."""

    def __init__(self, out: Path):
        self.out = out
        self.done: dict[str, dict[str, Fit]] = {}

    def fits(self, name: str) -> dict[str, Fit]:
        if name not in self.done:
            self.done[name] = train.fits(name)
        return self.done[name]

    def package(self, name: str) -> Package:
        return Package(package.write(self.fits(name), self.out))


@pytest.fixture(scope="session")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return Trainer(tmp_path_factory.mktemp("models"))
