CREATE INDEX ran_name ON ran (name(20));
