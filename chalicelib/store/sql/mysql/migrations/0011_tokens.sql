-- Credentials of principals, as hashes: a copy of the table lets nobody in.
CREATE TABLE IF NOT EXISTS scheduler_tokens (
  token_hash CHAR(64) NOT NULL,
  principal  VARCHAR(255) NOT NULL,
  admin      TINYINT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (token_hash),
  CONSTRAINT scheduler_tokens_admin CHECK (admin IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
