-- Named calendars: when the jobs that name them do not fire.
CREATE TABLE IF NOT EXISTS scheduler_calendars (
  owner       VARCHAR(100) NOT NULL,
  name        VARCHAR(100) NOT NULL,
  document    MEDIUMTEXT NOT NULL,
  edit        INT NOT NULL,
  created_ms  BIGINT NOT NULL,
  created_by  VARCHAR(255) NOT NULL,
  modified_ms BIGINT NOT NULL,
  modified_by VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner, name),
  CONSTRAINT scheduler_calendars_edit CHECK (edit >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
