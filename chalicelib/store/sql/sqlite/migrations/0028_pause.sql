-- The row of the pause, empty while there is none: who lets something begin locks it, shared.
INSERT OR IGNORE INTO scheduler_meta (name, value) VALUES ('pause', '');
