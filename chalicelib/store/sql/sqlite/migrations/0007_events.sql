-- History: who did what, when and why. Only appended to.
CREATE TABLE IF NOT EXISTS scheduler_events (
  id          TEXT NOT NULL,
  owner       TEXT NOT NULL,
  job_id      TEXT NOT NULL,
  instance_id TEXT,
  at_ms       INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  verb        TEXT NOT NULL,
  reason      TEXT,
  detail      TEXT NOT NULL,
  PRIMARY KEY (id)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_events_owner ON scheduler_events (owner, id);
CREATE INDEX IF NOT EXISTS scheduler_events_job ON scheduler_events (job_id, id);
CREATE INDEX IF NOT EXISTS scheduler_events_instance ON scheduler_events (instance_id, id);
