-- Which principal has which role in which owner.
CREATE TABLE IF NOT EXISTS scheduler_members (
  owner     VARCHAR(100) NOT NULL,
  principal VARCHAR(255) NOT NULL,
  role      VARCHAR(40) NOT NULL,
  PRIMARY KEY (owner, principal),
  KEY scheduler_members_principal (principal),
  CONSTRAINT scheduler_members_role CHECK (role IN ('viewer', 'operator', 'owner'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
