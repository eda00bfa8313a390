-- Answers to requests that carried an Idempotency-Key. id is a hash of owner and key: collations
-- that pad or fold would take two keys for one.
CREATE TABLE IF NOT EXISTS scheduler_requests (
  id          TEXT NOT NULL,
  owner       TEXT NOT NULL,
  request_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status      INTEGER NOT NULL,
  body        TEXT NOT NULL,
  created_ms  INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_requests_created ON scheduler_requests (created_ms);
