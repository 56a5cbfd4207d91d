"""Train a classifier on handwritten digits and leave its score and a plot as outputs."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    # Without Launchyard around it, the files land beside this one.
    output = Path(os.environ.get("LAUNCHYARD_OUTPUT", "."))

    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.25, stratify=digits.target, random_state=given.seed
    )
    scale = StandardScaler().fit(train_x)
    train_x, test_x = scale.transform(train_x), scale.transform(test_x)
    print(f"{len(train_x)} digits to learn from, {len(test_x)} to be judged by", flush=True)

    began = time.monotonic()
    model = MLPClassifier((given.hidden,), learning_rate_init=0.002, random_state=given.seed)
    history = []
    for step in range(1, given.steps + 1):
        model.partial_fit(train_x, train_y, classes=np.unique(digits.target))
        accuracy = float(model.score(test_x, test_y))
        history.append(accuracy)
        print(f"step {step:>2}/{given.steps}  accuracy {accuracy:.4f}", flush=True)

    metrics = {
        "accuracy": round(history[-1], 4),
        "steps": given.steps,
        "seconds": round(time.monotonic() - began, 2),
        "history": [round(value, 4) for value in history],
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    plot(model, test_x, test_y, output / "confusion.png")
    print(f"final accuracy {metrics['accuracy']:.4f} after {metrics['seconds']} s")


def plot(model: MLPClassifier, images: np.ndarray, labels: np.ndarray, file: Path) -> None:
    counts = confusion_matrix(labels, model.predict(images))
    # A figure of its own draws without a screen, and without what only windows need.
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot(
        title=f"Digits, accuracy {model.score(images, labels):.1%}",
        xlabel="taken for",
        ylabel="is",
        xticks=range(10),
        yticks=range(10),
    )
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    figure.savefig(file, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    main()
