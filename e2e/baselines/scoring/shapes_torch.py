"""Trains the shapes of `shapes.py` for a moment and writes their graphs as torch.onnx exports them; only the notes of the lines
and paths that nodes came from are taken out. Not part of the benchmark: PyTorch brings gigabytes.

    training/run python e2e/baselines/scoring/shapes_torch.py --with-torch
"""

import io
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]
import models  # noqa: E402
import shapes  # noqa: E402
from defaultx_training.torch_net import untraced  # noqa: E402

EPOCHS, BATCH, OPSET = 2, 256, 18


def head(width):
    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())


class Embeddings(nn.Module):
    """Categories by a table each, beside numbers. Codes come as whole numbers among the others."""

    def __init__(self, numbers, size=4):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(shapes.LEVELS, size) for _ in range(shapes.CODES)])
        self.layers = head(numbers + shapes.CODES * size)

    def forward(self, x):
        return self.of(x[:, shapes.CODES:], x[:, :shapes.CODES].long())

    def of(self, numbers, codes):
        return self.layers(torch.cat([numbers, *(table(codes[:, at]) for at, table in enumerate(self.tables))], dim=1))


class EmbeddingsApart(Embeddings):
    """The same, codes as an input of their own."""

    def forward(self, numbers, codes):
        return self.of(numbers, codes)


class OneHot(nn.Module):
    """Categories made one-hot in the graph."""

    def __init__(self, numbers):
        super().__init__()
        self.layers = head(numbers + shapes.CODES * shapes.LEVELS)

    def forward(self, x):
        codes = nn.functional.one_hot(x[:, :shapes.CODES].long(), shapes.LEVELS).flatten(1)
        return self.layers(torch.cat([codes.to(x.dtype), x[:, shapes.CODES:]], dim=1))


def norms(width):
    """Batch and layer normalisation."""
    return nn.Sequential(
        nn.BatchNorm1d(width), nn.Linear(width, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(64, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid(),
    )  # fmt: skip


class Residual(nn.Module):
    """Blocks that add to what came in, with GELU."""

    def __init__(self, width, hidden=48, blocks=2):
        super().__init__()
        self.first, self.last = nn.Linear(width, hidden), nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, 1))
        block = lambda: nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.blocks = nn.ModuleList([block() for _ in range(blocks)])

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return torch.sigmoid(self.last(x))


def softmax(width):
    """A score of each of two classes."""
    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2), nn.Softmax(dim=1))


class Recurrent(nn.Module):
    """Payment histories, month by month; what is left after the last one tells."""

    def __init__(self, kind, hidden=32):
        super().__init__()
        self.steps, self.last = kind(shapes.FIGURES, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, history):
        return torch.sigmoid(self.last(self.steps(history)[0][:, -1]))


class Attention(nn.Module):
    """Each column a token beside one that collects, as in the FT-Transformer."""

    def __init__(self, columns, size=16, heads=2, blocks=2):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(columns, size) / 4)
        self.bias = nn.Parameter(torch.randn(columns, size) / 4)
        self.collects = nn.Parameter(torch.randn(1, 1, size) / 4)
        layer = nn.TransformerEncoderLayer(size, heads, 2 * size, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.last = nn.Sequential(nn.LayerNorm(size), nn.ReLU(), nn.Linear(size, 1), nn.Sigmoid())

    def forward(self, x):
        tokens = x.unsqueeze(2) * self.weight + self.bias
        tokens = torch.cat([self.collects.expand(x.shape[0], -1, -1), tokens], dim=1)
        return self.last(self.blocks(tokens)[:, 0])


def net(name, inputs):
    widths = {key: values.shape[1] for key, values in inputs.items()}
    return {
        "embeddings": lambda: Embeddings(widths["x"] - shapes.CODES),
        "embeddings-apart": lambda: EmbeddingsApart(widths["numbers"]),
        "one-hot": lambda: OneHot(widths["x"] - shapes.CODES),
        "norms": lambda: norms(widths["x"]),
        "residual": lambda: Residual(widths["x"]),
        "softmax": lambda: softmax(widths["x"]),
        "gru": lambda: Recurrent(nn.GRU),
        "lstm": lambda: Recurrent(nn.LSTM),
        "attention": lambda: Attention(widths["x"]),
    }[name]()  # fmt: skip


def fit(module, inputs, label):
    """A moment of AdamW on log loss, so that no weight is where it started."""
    inputs, label = [torch.from_numpy(values) for values in inputs.values()], torch.from_numpy(label)
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3)
    module.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(label)).split(BATCH):
            optimizer.zero_grad()
            answers = module(*(values[rows] for values in inputs))[:, -1]
            nn.functional.binary_cross_entropy(answers, label[rows]).backward()
            optimizer.step()
    return module.eval()


def exported(module, inputs):
    example = tuple(torch.from_numpy(values[:4]) for values in inputs.values())
    file, rows = io.BytesIO(), torch.export.Dim("rows")
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            module, example, input_names=list(inputs), output_names=["probability"], opset_version=OPSET,
            dynamic_shapes=tuple({0: rows} for _ in inputs), dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    program.save(file, external_data=False)
    return file.getvalue()


def main():
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    made = shapes.Inputs(HERE.parents[2], None)
    shapes.GRAPHS.mkdir(exist_ok=True)
    for name in shapes.NAMES:
        torch.manual_seed(models.SEED)
        inputs = made.of(name)
        module = fit(net(name, inputs), inputs, made.defaulted(name))
        graph = untraced(exported(module, inputs))
        with torch.no_grad():
            answers = module(*(torch.from_numpy(values) for values in inputs.values()))[:, -1].numpy()
        (shapes.GRAPHS / f"{name}.onnx").write_bytes(graph)
        print(f"{name}: {len(graph)} bytes, mean answer {answers.mean():.3f}, deviation {np.std(answers):.3f}")


if __name__ == "__main__":
    main()
