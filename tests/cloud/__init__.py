"""Noonday on AWS, held against moto's server."""
