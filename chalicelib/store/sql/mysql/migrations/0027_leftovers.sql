-- Runs that were purged, until their files are removed too.
CREATE TABLE IF NOT EXISTS scheduler_leftovers (
  token VARCHAR(64) NOT NULL,
  PRIMARY KEY (token)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
