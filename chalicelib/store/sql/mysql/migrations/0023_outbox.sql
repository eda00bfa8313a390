-- Notifications, decided in the transaction of what they tell of, and delivered afterwards.
-- id: of the event and the channel, so that nothing is told twice; receivers see it as webhook-id.
-- wake_ms: when delivery is tried next; NULL once it is delivered or given up. give_up_ms: the last try.
-- attempts: how often a delivery was begun; only the latest of them may say how it ended.
CREATE TABLE IF NOT EXISTS scheduler_outbox (
  id          CHAR(32) NOT NULL,
  owner       VARCHAR(100) NOT NULL,
  job_id      CHAR(32) NOT NULL,
  instance_id CHAR(32),
  event       VARCHAR(40) NOT NULL,
  channel     MEDIUMTEXT NOT NULL,
  payload     MEDIUMTEXT NOT NULL,
  state       VARCHAR(40) NOT NULL,
  attempts    INT NOT NULL,
  wake_ms     BIGINT,
  give_up_ms  BIGINT NOT NULL,
  error       MEDIUMTEXT,
  created_ms  BIGINT NOT NULL,
  ended_ms    BIGINT,
  PRIMARY KEY (id),
  KEY scheduler_outbox_wake (wake_ms),
  KEY scheduler_outbox_job (job_id, id),
  KEY scheduler_outbox_job_state (job_id, state, id),
  KEY scheduler_outbox_owner (owner, id),
  KEY scheduler_outbox_state (state, id),
  KEY scheduler_outbox_ended (state, ended_ms),
  CONSTRAINT scheduler_outbox_state_known CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
  CONSTRAINT scheduler_outbox_ended
    CHECK ((ended_ms IS NULL) = (state = 'PENDING') AND (wake_ms IS NULL) = (state <> 'PENDING'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
