-- When to look whether an instance is late, once a kind of lateness: the row goes when that is decided.
CREATE TABLE IF NOT EXISTS scheduler_watches (
  instance_id TEXT NOT NULL,
  kind        TEXT NOT NULL,
  job_id      TEXT NOT NULL,
  due_ms      INTEGER NOT NULL,
  PRIMARY KEY (instance_id, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_watches_due ON scheduler_watches (due_ms);
