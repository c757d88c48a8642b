"""Tables: CSV and parquet files, and DataFrames.

- `from_table.py`: a table made into a Dataset
- `columns.py`: its columns made into features
- `readers.py`: files read, and refused where a cell is not what it seems
"""
