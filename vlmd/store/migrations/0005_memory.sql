-- What an answer's batch was planned to take of a GPU's memory, and what it took; NULL where that is not known.
ALTER TABLE answers ADD COLUMN memory_planned INTEGER;
ALTER TABLE answers ADD COLUMN memory_used INTEGER;
