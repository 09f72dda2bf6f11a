INSERT INTO ran VALUES ('two'), ('three');
