-- Nominal times in [from_ms, to_ms) have no instance, and why. Ranges of a job never overlap.
CREATE TABLE IF NOT EXISTS scheduler_skip_ranges (
  job_id   CHAR(32) NOT NULL,
  from_ms  BIGINT NOT NULL,
  to_ms    BIGINT NOT NULL,
  reason   VARCHAR(40) NOT NULL,
  revision INT NOT NULL,
  PRIMARY KEY (job_id, from_ms),
  CONSTRAINT scheduler_skip_ranges_span CHECK (from_ms >= 0 AND from_ms < to_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
