"""The pages on how jaxhpo works say what is so."""
