-- Which instances wait for which data: its arrival finds them by key, never by a scan.
CREATE TABLE IF NOT EXISTS scheduler_waits (
  key_hash    CHAR(64) NOT NULL,
  instance_id CHAR(32) NOT NULL,
  PRIMARY KEY (key_hash, instance_id),
  KEY scheduler_waits_instance (instance_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
