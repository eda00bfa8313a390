-- Which principal has which role in which owner.
CREATE TABLE IF NOT EXISTS scheduler_members (
  owner     TEXT NOT NULL,
  principal TEXT NOT NULL,
  role      TEXT NOT NULL,
  PRIMARY KEY (owner, principal),
  CONSTRAINT scheduler_members_role CHECK (role IN ('viewer', 'operator', 'owner'))
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_members_principal ON scheduler_members (principal);
