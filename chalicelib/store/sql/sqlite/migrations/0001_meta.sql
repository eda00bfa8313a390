-- What the schema is, by name: schema_version, and what later migrations need to say.
CREATE TABLE IF NOT EXISTS scheduler_meta (
  name  TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name)
) STRICT;
