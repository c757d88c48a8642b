"""The tutorials and notebooks say what is so."""
