DELETE FROM ran WHERE name <> 'one';
