-- What is asked of a video besides its pipeline, what a model thought of given options, what other pipelines see of a
-- result.
ALTER TABLE answers ADD COLUMN option_logprobs TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN inputs TEXT;
ALTER TABLE jobs ADD COLUMN outcome TEXT;
