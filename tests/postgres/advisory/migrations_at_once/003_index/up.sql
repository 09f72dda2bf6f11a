CREATE INDEX CONCURRENTLY ran_name ON ran (name);
