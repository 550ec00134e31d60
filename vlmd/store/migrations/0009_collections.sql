-- A manifest whose samples are asked of videos: when all its jobs have ended, a list of what became of them is written.
-- `active` counts its unfinished jobs; it is due when that is 0 and `version` is not what was written. Kept by triggers.
CREATE TABLE collections (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    base     TEXT NOT NULL UNIQUE,
    source   BLOB NOT NULL, -- the manifest's path
    pipeline TEXT NOT NULL,
    active   INTEGER NOT NULL DEFAULT 0,
    version  INTEGER NOT NULL DEFAULT 1,
    written  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX collections_due ON collections (id) WHERE active = 0 AND version <> written;

-- A sample of a manifest: its job, or why it has none; neither, once its job has been forgotten.
CREATE TABLE samples (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    video         TEXT NOT NULL,
    job_id        INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    reason        TEXT,
    PRIMARY KEY (collection_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX samples_by_job ON samples (job_id) WHERE job_id IS NOT NULL;

CREATE TRIGGER jobs_collected AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
    UPDATE collections SET
        version = version + 1,
        active  = active + (NEW.state IN ('indexing', 'waiting', 'queued', 'running', 'merging'))
                         - (OLD.state IN ('indexing', 'waiting', 'queued', 'running', 'merging'))
    WHERE id IN (SELECT collection_id FROM samples WHERE job_id = NEW.id);
END;
