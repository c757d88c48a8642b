"""PyTorch eager, one trial after the other: tensors in memory, no loader, L2 by weight decay where that is the same.

On a GPU where PyTorch sees one: examples and their order then lie in its memory, and runs end when it has.
"""

# pyright: reportMissingImports=false
# PyTorch comes with the extra "benchmarks"; types are checked without it as well.

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.speed.tasks import Task, make, normalised, orders

_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def _seconds() -> float:
    """Return the time at which all that was begun has ended."""
    if _DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


class _Recurrent(nn.Module):
    def __init__(self, vocabulary: int, layers: int, units: int, classes: int, dropout: float):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 32)
        self.gru = nn.GRU(32, units, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, self.out = nn.Dropout(dropout), nn.Linear(units, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(self.embedding(x))
        real = (x != 0).unsqueeze(-1).to(states.dtype)
        return self.out(self.dropout((states * real).sum(1) / real.sum(1).clamp(min=1)))


def network(task: Task, config: dict[str, Any]) -> nn.Module:
    """Return the network of a configuration, as large as jaxhpo's."""
    layers, units, rate = config["layers"], config["units"], config["dropout"]
    if task.model == "rnn":
        assert task.data.vocabulary is not None
        return _Recurrent(task.data.vocabulary, layers, units, task.data.classes, rate)
    if task.model == "mlp":
        parts, width = [nn.Flatten()], int(np.prod(task.data.shape))
        for _ in range(layers):
            parts += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(rate)]
            width = units
        return nn.Sequential(*parts, nn.Linear(width, task.data.classes))
    side, channels = task.data.shape[0], task.data.shape[2]
    parts = []
    for i in range(max(layers, 2)):
        if i < layers:
            parts += [nn.Conv2d(channels, units, 3, padding=1), nn.ReLU()]
            channels = units
        if i < 2 and side >= 8:
            parts, side = [*parts, nn.MaxPool2d(2)], side // 2
    flat = side * side * channels
    head = [nn.Flatten(), nn.Linear(flat, 4 * units), nn.ReLU(), nn.Dropout(rate)]
    return nn.Sequential(*parts, *head, nn.Linear(4 * units, task.data.classes))


def optimizer(model: nn.Module, config: dict[str, Any]) -> torch.optim.Optimizer:
    """Return the optimizer with jaxhpo's constants; weight decay acts on kernels only."""
    rate, name = config["learning_rate"], config["optimizer"]
    kernels = [p for key, p in model.named_parameters() if p.ndim > 1 and "embedding" not in key]
    rest = [p for p in model.parameters() if all(p is not k for k in kernels)]
    decay = 0.0 if name == "adamw" else 2 * config["l2"]
    groups = [{"params": kernels, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
    if name in ("sgd", "momentum"):
        return torch.optim.SGD(groups, lr=rate, momentum=0.9 if name == "momentum" else 0.0)
    if name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=0.9)
    if name == "adam":
        return torch.optim.Adam(groups, lr=rate)
    for group in groups:
        group["weight_decay"] = 1e-4
    return torch.optim.AdamW(groups, lr=rate)


def tensors(task: Task, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a split in PyTorch's layout."""
    x, y = normalised(task.data, split)
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1) if task.data.kind == "image" else x))
    return (x.long() if task.data.kind == "text" else x).to(_DEVICE), torch.from_numpy(y.astype(np.int64)).to(_DEVICE)


def run(name: str, *, data_dir: str | None, quick: bool, configs: list[dict[str, Any]]) -> list[float]:
    """Train the configurations one after the other; return the seconds of each.

    On a GPU the first is trained once more before: what its libraries take to start is not counted.
    """
    task = make(name, data_dir=data_dir, quick=quick)
    (x, y), (x_valid, y_valid) = tensors(task, "train"), tensors(task, "valid")
    order = [torch.from_numpy(o.astype(np.int64)).to(_DEVICE) for o in orders(task.data, task.epochs)]
    seconds = []
    before = configs[:1] if _DEVICE == "cuda" else []
    for config in [*before, *configs]:
        started = _seconds()
        torch.manual_seed(0)
        model = network(task, config).to(_DEVICE)
        update, batch = optimizer(model, config), config["batch_size"]
        kernels = [p for key, p in model.named_parameters() if p.ndim > 1 and "embedding" not in key]
        for epoch in range(task.epochs):
            model.train()
            for start in range(0, len(y) - batch + 1, batch):
                rows = order[epoch][start : start + batch]
                update.zero_grad()
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
                if config["l1"]:
                    loss = loss + config["l1"] * sum(p.abs().sum() for p in kernels)
                if config["l2"] and config["optimizer"] == "adamw":
                    loss = loss + config["l2"] * sum(p.square().sum() for p in kernels)
                loss.backward()
                update.step()
            model.eval()
            with torch.no_grad():
                hits = [
                    (model(a).argmax(1) == b).sum() for a, b in zip(x_valid.split(512), y_valid.split(512), strict=True)
                ]
            torch.stack(hits).sum().item()
        seconds.append(_seconds() - started)
    return seconds[len(before) :]


def step_seconds(units: int, dense: int, batch: int, steps: int) -> list[float]:
    """Return seconds a training step of two 3x3 convolutions on 28x28 images and a dense layer, over several runs."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, units, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(units, units, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(49 * units, dense), nn.ReLU(), nn.Linear(dense, 10)),
    ).to(_DEVICE)
    update = torch.optim.Adam(model.parameters())
    x, y = torch.randn(steps * batch, 1, 28, 28).to(_DEVICE), torch.randint(0, 10, (steps * batch,)).to(_DEVICE)
    seconds = []
    for _ in range(5):
        started = _seconds()
        for rows in torch.randperm(len(y)).to(_DEVICE).split(batch):
            update.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            update.step()
        seconds.append((_seconds() - started) / steps)
    return seconds
