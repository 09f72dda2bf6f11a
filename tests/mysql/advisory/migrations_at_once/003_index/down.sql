DROP INDEX ran_name ON ran;
