-- The last unit of work that each connection committed. When the answer to a COMMIT is lost, its row
-- says whether the unit happened, so that nothing is done twice.
CREATE TABLE IF NOT EXISTS scheduler_writers (
  id      CHAR(36) NOT NULL,
  unit    BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY scheduler_writers_seen (seen_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
