-- What the schema is, by name: schema_version, and what later migrations need to say.
CREATE TABLE IF NOT EXISTS scheduler_meta (
  name  VARCHAR(40) NOT NULL,
  value MEDIUMTEXT NOT NULL,
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
