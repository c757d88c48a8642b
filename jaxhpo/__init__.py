"""jaxhpo."""
