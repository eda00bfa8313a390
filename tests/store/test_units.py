from chalicelib.store import SqlStore


def test_x(store: SqlStore) -> None:
    assert store.database_now_ms() > 0
