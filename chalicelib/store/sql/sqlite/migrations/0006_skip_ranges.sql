-- Nominal times in [from_ms, to_ms) have no instance, and why. Ranges of a job never overlap.
CREATE TABLE IF NOT EXISTS scheduler_skip_ranges (
  job_id   TEXT NOT NULL,
  from_ms  INTEGER NOT NULL,
  to_ms    INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (job_id, from_ms),
  CONSTRAINT scheduler_skip_ranges_span CHECK (from_ms >= 0 AND from_ms < to_ms)
) STRICT;
