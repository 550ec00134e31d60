-- A job whose questions depend on what other pipelines found in the same video waits for these jobs.
CREATE TABLE needs (
    job_id    INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    pipeline  TEXT NOT NULL,
    needed_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, pipeline)
) STRICT, WITHOUT ROWID;
CREATE INDEX needs_by_needed ON needs (needed_id);
