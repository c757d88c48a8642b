"""Tables: CSV and parquet files, and DataFrames.

- `from_table.py`: a table as a Dataset
- `features.py`: which columns are used, and what is said of them
- `pairs.py`: features and targets that come apart
- `targets.py`: the target columns
- `leaks.py`: columns that give the answer away
- `plan.py`: what becomes of a column, fitted to training rows and done alike to new tables
- `kinds.py`: the kind of each column
- `cells.py`: words, numbers and dates in cells
- `readers.py`, `layout.py`: strict readers of files; their separators, headers and decimal commas
- `by_name.py`: features by their names alone
"""
