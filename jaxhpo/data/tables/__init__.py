"""Tables: CSV and parquet files, and DataFrames.

- `from_table.py`: a table as a Dataset
- `columns.py`: columns as features
- `readers.py`: strict readers of files
"""
