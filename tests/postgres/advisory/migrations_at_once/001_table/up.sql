-- The gate: whoever holds 7 keeps all who run this from going on.
SELECT pg_advisory_xact_lock_shared(7);
CREATE TABLE ran (name text NOT NULL);
INSERT INTO ran VALUES ('one');
