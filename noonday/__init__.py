"""What programs that Noonday runs may use. It needs nothing but Python's standard library."""
