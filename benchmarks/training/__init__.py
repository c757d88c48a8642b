"""What real training reaches and takes: the main jobs, single configurations, early stopping, loading of data."""
