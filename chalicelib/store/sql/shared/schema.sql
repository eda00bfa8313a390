-- name: meta
SELECT name, value FROM scheduler_meta

-- name: insert_meta
INSERT INTO scheduler_meta (name, value) VALUES (:name, :value)

-- name: update_meta
UPDATE scheduler_meta SET value = :value WHERE name = :name
