"""What every test may ask for."""

from tests.databases import empty_url, mariadb, mysql, open_empty

__all__ = ["empty_url", "mariadb", "mysql", "open_empty"]
