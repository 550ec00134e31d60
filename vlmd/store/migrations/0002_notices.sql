-- Hooks: what is to be told of a job, written with the change it tells of.

-- Events that somebody wants to hear of. While there is none, nothing is written below.
CREATE TABLE hooked (event TEXT PRIMARY KEY CHECK (event IN ('done', 'failed'))) STRICT;

-- A notice that no hook has taken yet. `delivery` is the same at every try, and in no other database.
CREATE TABLE notices (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    event       TEXT NOT NULL CHECK (event IN ('done', 'failed')),
    delivery    TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
    state       TEXT NOT NULL,
    code        TEXT,
    reason      TEXT,
    at          INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    problem     TEXT,
    given_up    INTEGER NOT NULL DEFAULT 0 CHECK (given_up IN (0, 1)),
    CHECK (NOT given_up OR problem IS NOT NULL)
) STRICT;
CREATE INDEX notices_by_time ON notices (given_up, due_at, id);
CREATE INDEX notices_by_job ON notices (job_id);

CREATE TRIGGER jobs_noticed AFTER UPDATE OF state ON jobs
    WHEN OLD.state <> NEW.state AND NEW.state IN ('done', 'failed', 'quarantined')
BEGIN
    INSERT INTO notices (job_id, event, state, code, reason, at, due_at)
    SELECT NEW.id, event, NEW.state, NEW.code, NEW.reason, NEW.changed_at, NEW.changed_at
    FROM hooked WHERE event = CASE NEW.state WHEN 'done' THEN 'done' ELSE 'failed' END;
END;
