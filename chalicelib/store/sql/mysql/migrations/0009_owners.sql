-- Teams that jobs belong to.
CREATE TABLE IF NOT EXISTS scheduler_owners (
  name       VARCHAR(100) NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
