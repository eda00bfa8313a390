-- Concurrency groups: at most so many instances of all jobs that name the group at once.
CREATE TABLE IF NOT EXISTS scheduler_groups (
  owner       VARCHAR(100) NOT NULL,
  name        VARCHAR(100) NOT NULL,
  size        INT NOT NULL,
  description MEDIUMTEXT NOT NULL,
  edit        INT NOT NULL,
  created_ms  BIGINT NOT NULL,
  created_by  VARCHAR(255) NOT NULL,
  modified_ms BIGINT NOT NULL,
  modified_by VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner, name),
  CONSTRAINT scheduler_groups_size CHECK (size >= 0 AND edit >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
