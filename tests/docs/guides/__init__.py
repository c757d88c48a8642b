"""The guides say what is so."""
