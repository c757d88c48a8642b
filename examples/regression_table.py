"""Predict a number from a table: how a patient's diabetes progresses; then save the network and load it again.

python examples/regression_table.py
"""

import tempfile
from pathlib import Path

from sklearn.datasets import load_diabetes

import jaxhpo as jh


def main(trials: int = 32) -> jh.Study:
    """Tune an MLP, train the winner from three more seeds, and print its errors and a few predictions."""
    table = load_diabetes(as_frame=True).frame  # 442 patients, ten columns of numbers, and "target"
    rate, dropout = jh.Float(1e-3, 1e-1, log=True, levels=9), jh.Float(0.0, 0.5, levels=6)
    space = jh.Space({"learning_rate": rate, "units": jh.Choice((8, 16, 32, 64)), "dropout": dropout})
    options = {"space": space, "folds": 1, "trials": trials, "final_fit": 3}
    study = jh.tune(table, task="regression", metric="rmse", **options)
    print(study.best, study.final, sep="\n")
    print(f"Predicting the mean of all patients has an rmse of {table['target'].std():.1f}.")
    with tempfile.TemporaryDirectory() as directory:
        study.best_model().save(Path(directory) / "model")
        model = jh.load_model(Path(directory) / "model")
    few = table.head()
    print(few[["target"]].assign(predicted=model.predict(few.drop(columns="target")).round()))
    return study


if __name__ == "__main__":
    main()
