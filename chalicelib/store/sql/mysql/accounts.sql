-- The application's own user, made by a migrator who may. Whoever reads logs or plans finds no password here.

-- name: create_account
CREATE USER IF NOT EXISTS :user@'%' IDENTIFIED BY :password

-- name: change_account
ALTER USER :user@'%' IDENTIFIED BY :password

-- name: create_account_of_iam
-- The plugin is RDS's own.
CREATE USER IF NOT EXISTS :user@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'

-- name: change_account_to_iam
ALTER USER :user@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'

-- name: require_tls
ALTER USER :user@'%' REQUIRE SSL

-- name: grants_of
SHOW GRANTS FOR :user@'%'
