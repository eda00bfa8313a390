-- History: who did what, when and why. Only appended to.
CREATE TABLE IF NOT EXISTS scheduler_events (
  id          CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  owner       VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  job_id      CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  instance_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  at_ms       BIGINT NOT NULL,
  actor       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  verb        VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason      MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  detail      MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (id),
  KEY scheduler_events_owner (owner, id),
  KEY scheduler_events_job (job_id, id),
  KEY scheduler_events_instance (instance_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
