"""The pictures of the READMEs."""
