"""Jobs to start from, and the demonstration that runs them."""
