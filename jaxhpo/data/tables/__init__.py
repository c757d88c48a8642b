"""Tables: CSV and parquet files, and DataFrames.

- `from_table.py`: a table as a Dataset
- `columns.py`: columns as features
- `pairs.py`: features and targets that come apart
- `readers.py`: strict readers of files
"""
