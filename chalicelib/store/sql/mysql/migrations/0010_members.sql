-- Which principal has which role in which owner.
CREATE TABLE IF NOT EXISTS scheduler_members (
  owner     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  principal VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  role      VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (owner, principal),
  KEY scheduler_members_principal (principal),
  CONSTRAINT scheduler_members_role CHECK (role IN ('viewer', 'operator', 'owner'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
