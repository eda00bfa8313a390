-- Which instances wait for which data: its arrival finds them by key, never by a scan.
CREATE TABLE IF NOT EXISTS scheduler_waits (
  key_hash    TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  PRIMARY KEY (key_hash, instance_id)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_waits_instance ON scheduler_waits (instance_id);
