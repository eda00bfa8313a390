-- When to look whether an instance is late, once a kind of lateness: the row goes when that is decided.
CREATE TABLE IF NOT EXISTS scheduler_watches (
  instance_id CHAR(32) NOT NULL,
  kind        VARCHAR(40) NOT NULL,
  job_id      CHAR(32) NOT NULL,
  due_ms      BIGINT NOT NULL,
  PRIMARY KEY (instance_id, kind),
  KEY scheduler_watches_due (due_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
