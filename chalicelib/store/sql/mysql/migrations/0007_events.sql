-- History: who did what, when and why. Only appended to.
CREATE TABLE IF NOT EXISTS scheduler_events (
  id          CHAR(32) NOT NULL,
  owner       VARCHAR(100) NOT NULL,
  job_id      CHAR(32) NOT NULL,
  instance_id CHAR(32),
  at_ms       BIGINT NOT NULL,
  actor       VARCHAR(255) NOT NULL,
  verb        VARCHAR(40) NOT NULL,
  reason      MEDIUMTEXT,
  detail      MEDIUMTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY scheduler_events_owner (owner, id),
  KEY scheduler_events_job (job_id, id),
  KEY scheduler_events_instance (instance_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
