-- Answers to requests that carried an Idempotency-Key. id is a hash of owner and key: collations
-- that pad or fold would take two keys for one.
CREATE TABLE IF NOT EXISTS scheduler_requests (
  id          CHAR(64) NOT NULL,
  owner       VARCHAR(255) NOT NULL,
  request_key MEDIUMTEXT NOT NULL,
  fingerprint MEDIUMTEXT NOT NULL,
  status      INT NOT NULL,
  body        MEDIUMTEXT NOT NULL,
  created_ms  BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY scheduler_requests_created (created_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
