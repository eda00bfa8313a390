"""What Noonday needs on AWS: ``make package``, ``make deploy``, ``make destroy``."""
