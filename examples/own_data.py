"""Tune a network on your own arrays: scikit-learn's wines, 178 bottles of three growers.

python examples/own_data.py
"""

from sklearn.datasets import load_wine

import jaxhpo as jh


def main(trials: int = 16) -> jh.Study:
    """Tune an MLP on five folds, as examples are few; print the best trial, and the best ten, which answer together."""
    x, y = load_wine(return_X_y=True)
    space = jh.Space(
        {
            "learning_rate": jh.Float(1e-3, 1e-1, log=True, levels=9),
            "batch_size": jh.Choice((16, 32)),
            "units": jh.Choice((8, 16, 32)),
            "dropout": jh.Float(0.0, 0.5, levels=6),
        }
    )
    # A configuration that you already believe in is trained first.
    mine = {"learning_rate": 0.01, "batch_size": 16, "units": 16, "dropout": 0.0}
    study = jh.tune((x, y), space=space, enqueue=[mine], trials=trials, epochs=30)
    print(study.trials.sort_values("score", ascending=False).head().to_string(index=False))
    best, together = study.finished[study.best.trial], study.evaluate_ensemble()
    print(study.best, study.best_model(), study.ensemble(), sep="\n")
    for name, found in (("winner", best), ("ensemble", together)):
        print(f"{name}: accuracy {found.score:.3f} +- {found.standard_error:.3f} on bottles that it did not see")
    return study


if __name__ == "__main__":
    main()
