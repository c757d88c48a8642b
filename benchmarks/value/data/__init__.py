"""What loads the problems' data: `tables.py`, `images.py`, `texts.py`; `packaged.py` finds the packages they are in."""
