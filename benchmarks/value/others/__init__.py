"""The methods that jaxhpo is compared with.

- `hand_written.py`: one network in plain Flax, or five of them averaged
- `optuna_tpe.py`: Optuna's TPE over that network
- `scikit.py`: what scikit-learn offers
- `preprocessing.py`: what turns examples into numbers for all of them
"""
