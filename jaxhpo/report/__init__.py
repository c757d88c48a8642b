"""Results as people see them. Reads studies, changes nothing."""
