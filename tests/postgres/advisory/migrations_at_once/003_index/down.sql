DROP INDEX ran_name;
