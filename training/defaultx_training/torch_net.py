"""The dense net once more, learned by PyTorch and exported by torch.onnx as it comes. Loads PyTorch only when it trains.

The module that is exported holds everything: the squash of amounts and the steps of codes as buffers, then the layers. Its only
input is `features`, its only output `margin`.
"""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np

from defaultx_training.features import Feature
from defaultx_training.net import HIDDEN, Net, on_grid

BATCH = 256
LEARNING_RATE = 1.0e-3
DROPOUT = 0.1
OPSET = 18


class TorchNet(Net):
    """A fitted one has what a `Net` has, and `graph`."""

    def __init__(self, features: list[Feature], decay: float, epochs: int, seed: int = 0):
        self.features = features
        self.decay = decay
        self.epochs = epochs
        self.seed = seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> TorchNet:
        """Learns from f32 features and 0/1 labels: AdamW on log loss, the rate falling along a cosine."""
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(self.seed)
        torch.use_deterministic_algorithms(True)
        self.classes_ = np.array([0, 1])
        x = np.asarray(x, dtype=np.float32)
        self._lay_steps(x)
        self._centre(x)
        inputs = torch.from_numpy(self.squash(x).astype(np.float32))
        labels = torch.from_numpy(np.asarray(y, dtype=np.float32))
        stack = layers(inputs.shape[1])
        optimizer = torch.optim.AdamW(stack.parameters(), lr=LEARNING_RATE, weight_decay=self.decay)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)
        loss = torch.nn.BCEWithLogitsLoss()
        stack.train()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(inputs)).split(BATCH):
                optimizer.zero_grad()
                loss(stack(inputs[rows])[:, 0], labels[rows]).backward()
                optimizer.step()
            rate.step()
        stack.eval()
        self._settle(stack)
        self._graph: bytes | None = None
        return self

    def _settle(self, stack) -> None:
        """Puts each weight on the grid, in the module too, so that what is exported is what is told of."""
        import torch

        self.stack, self.layers = stack, []
        for layer in stack:
            if isinstance(layer, torch.nn.Linear):
                weights, bias = on_grid(layer.weight.detach().numpy()), on_grid(layer.bias.detach().numpy())
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(weights))
                    layer.bias.copy_(torch.from_numpy(bias))
                self.layers.append((weights.T, bias))

    @property
    def graph(self) -> bytes:
        """What torch.onnx writes, without its notes on where."""
        if self._graph is None:
            self._graph = exported(self)
        return self._graph


def layers(width: int):
    """The perceptron."""
    from torch import nn

    first, second = HIDDEN
    return nn.Sequential(
        nn.Linear(width, first), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Linear(first, second), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(second, 1),
    )  # fmt: skip


def exported(net: TorchNet) -> bytes:
    """features -> squash and steps -> layers -> margin, by the exporter that PyTorch calls its new one."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("smooth", "centre", "rate", "edge_feature", "edges"):
                self.register_buffer(name, torch.from_numpy(getattr(net, name)))
            self.stack = net.stack

        def forward(self, features):
            t = (features[:, self.smooth] - self.centre) * self.rate
            steps = (features[:, self.edge_feature] > self.edges).to(features.dtype)
            return self.stack(torch.cat([torch.sign(t) * torch.log(torch.abs(t) + 1.0), steps], dim=1))

    example = torch.zeros(4, len(net.features))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            Whole().eval(), (example,), input_names=["features"], output_names=["margin"], opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("rows")},), dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    file = io.BytesIO()
    program.save(file, external_data=False)
    return untraced(file.getvalue())


def untraced(graph: bytes) -> bytes:
    """A graph without the exporter's notes of the lines and paths that each node came from, which differ from machine to machine."""
    import onnx

    model = onnx.load_from_string(graph)
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    return model.SerializeToString()
