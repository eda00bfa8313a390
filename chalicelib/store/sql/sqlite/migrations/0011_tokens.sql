-- Credentials of principals, as hashes: a copy of the table lets nobody in.
CREATE TABLE IF NOT EXISTS scheduler_tokens (
  token_hash TEXT NOT NULL,
  principal  TEXT NOT NULL,
  admin      INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (token_hash),
  CONSTRAINT scheduler_tokens_admin CHECK (admin IN (0, 1))
) STRICT;
