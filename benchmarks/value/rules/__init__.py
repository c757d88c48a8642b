"""Rules for the winner and for the ensemble of a study, compared on what recorded studies said.

- `pool.py`: the trials that a rule chooses from
- `choosing.py`: the rules, which give each trial a weight
- `variants.py`: mean differences of variants, such as rules, from one of them
- `__main__.py`: test scores and losses of every rule on every recorded study, and their tables
"""
