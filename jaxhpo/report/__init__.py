"""Results as people see them. Reads studies, changes nothing.

- `progress.py`: the progress bar
- `console.py`: lines before a study begins, tables and closing lines in the terminal
"""
