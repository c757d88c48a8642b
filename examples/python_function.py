"""Tune any Python function, here scikit-learn's gradient boosting on the digits, in a pool of processes.

python examples/python_function.py
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

import jaxhpo as jh


def score(config, seed):
    """Return the mean accuracy over three folds."""
    x, y = load_digits(return_X_y=True)
    model = HistGradientBoostingClassifier(max_iter=20, random_state=seed, **config)
    return cross_val_score(model, x, y, cv=3).mean()


def main(trials: int = 32) -> jh.Study:
    """Tune the booster and print what was found."""
    space = jh.Space(
        {
            "learning_rate": jh.Float(0.01, 1.0, log=True, levels=9),
            "max_leaf_nodes": jh.Choice((3, 7, 15, 31)),
            "min_samples_leaf": jh.Choice((5, 20, 80)),
            "l2_regularization": jh.Float(0.0, 1.0, levels=5),
        }
    )
    # A trial that raises, dies or takes over a minute fails alone, and the study goes on.
    study = jh.tune(jh.function(score, timeout=60), space=space, trials=trials, lanes=4)
    print(study.trials.sort_values("score", ascending=False).head().to_string(index=False))
    print(study.best)
    return study


if __name__ == "__main__":
    main()
