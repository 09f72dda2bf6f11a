-- The gate: whoever has locked its row keeps all who run this from going on.
UPDATE gate SET id = 1 WHERE id = 1;
CREATE TABLE ran (name text NOT NULL);
INSERT INTO ran VALUES ('one');
