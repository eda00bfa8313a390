-- Notifications, decided in the transaction of what they tell of, and delivered afterwards.
-- id: of the event and the channel, so that nothing is told twice; receivers see it as webhook-id.
-- wake_ms: when delivery is tried next; NULL once it is delivered or given up. give_up_ms: the last try.
-- attempts: how often a delivery was begun; only the latest of them may say how it ended.
CREATE TABLE IF NOT EXISTS scheduler_outbox (
  id          TEXT NOT NULL,
  owner       TEXT NOT NULL,
  job_id      TEXT NOT NULL,
  instance_id TEXT,
  event       TEXT NOT NULL,
  channel     TEXT NOT NULL,
  payload     TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  wake_ms     INTEGER,
  give_up_ms  INTEGER NOT NULL,
  error       TEXT,
  created_ms  INTEGER NOT NULL,
  ended_ms    INTEGER,
  PRIMARY KEY (id),
  CONSTRAINT scheduler_outbox_state_known CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
  CONSTRAINT scheduler_outbox_ended
    CHECK ((ended_ms IS NULL) = (state = 'PENDING') AND (wake_ms IS NULL) = (state <> 'PENDING'))
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_outbox_wake ON scheduler_outbox (wake_ms);
CREATE INDEX IF NOT EXISTS scheduler_outbox_job ON scheduler_outbox (job_id, id);
CREATE INDEX IF NOT EXISTS scheduler_outbox_job_state ON scheduler_outbox (job_id, state, id);
CREATE INDEX IF NOT EXISTS scheduler_outbox_owner ON scheduler_outbox (owner, id);
CREATE INDEX IF NOT EXISTS scheduler_outbox_state ON scheduler_outbox (state, id);
CREATE INDEX IF NOT EXISTS scheduler_outbox_ended ON scheduler_outbox (state, ended_ms);
