"""How fast Noonday is (``make bench``): counts and ratios, which mean the same on every machine."""
