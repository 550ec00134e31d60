-- The whole schema as it is now. A test holds it equal to the sum of the migrations.

-- A file somebody dropped or submitted, as it was when it had settled. Names are bytes: they may be anything.
CREATE TABLE files (
    id          INTEGER PRIMARY KEY,
    root        BLOB NOT NULL,
    path        BLOB NOT NULL,
    inode       INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    origin      TEXT NOT NULL CHECK (origin IN ('inbox', 'submit')),
    state       TEXT NOT NULL CHECK (state IN ('registered', 'refused', 'superseded')),
    code        TEXT,
    reason      TEXT,
    changed_at  INTEGER NOT NULL,
    CHECK ((state = 'refused' AND code IS NOT NULL) OR state <> 'refused')
) STRICT;
CREATE INDEX files_by_path ON files (path, state);

-- Everything that determines an answer, once, under its digest.
CREATE TABLE recipes (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

-- One video in one pipeline. `base` is the result's path before another video's claim on it. Counters are kept by triggers, so that a screen costs no scan.
CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id       INTEGER NOT NULL REFERENCES files (id),
    pipeline      TEXT NOT NULL,
    name          TEXT NOT NULL,
    base          TEXT NOT NULL,
    priority      INTEGER NOT NULL DEFAULT 0,
    state         TEXT NOT NULL CHECK (state IN ('indexing', 'waiting', 'queued', 'running', 'merging', 'done',
                                                 'failed', 'cancelled', 'quarantined')),
    code          TEXT,
    reason        TEXT,
    fresh         INTEGER NOT NULL DEFAULT 0 CHECK (fresh IN (0, 1)),
    fingerprint   TEXT,
    facts         TEXT,
    recipe        TEXT REFERENCES recipes (digest),
    plan          TEXT,
    model         TEXT,
    result        TEXT,
    total         INTEGER NOT NULL DEFAULT 0,
    leased        INTEGER NOT NULL DEFAULT 0,
    answered      INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    reused        INTEGER NOT NULL DEFAULT 0,
    summary       TEXT,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    finished_at   INTEGER,
    changed_at    INTEGER NOT NULL,
    inputs        TEXT,
    outcome       TEXT,
    CHECK (state NOT IN ('failed', 'cancelled', 'quarantined') OR code IS NOT NULL),
    CHECK (state NOT IN ('queued', 'running', 'merging', 'done') OR (fingerprint IS NOT NULL AND recipe IS NOT NULL)),
    CHECK (state NOT IN ('merging', 'done') OR answered + failed = total)
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, priority, id);
CREATE INDEX jobs_by_video ON jobs (fingerprint, recipe);
CREATE INDEX jobs_by_result ON jobs (result);
CREATE INDEX jobs_by_file ON jobs (file_id);

-- Results of jobs that were forgotten: their paths stay theirs, so that no other video's result takes their place.
CREATE TABLE claims (result TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- A worker's right to a run of windows. Its number is never used again: it fences late answers.
CREATE TABLE leases (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    worker      TEXT NOT NULL,
    granted_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX leases_by_job ON leases (job_id);

-- What a model said of one span of one video under one recipe. Never changed once written.
CREATE TABLE answers (
    id             INTEGER PRIMARY KEY,
    fingerprint    TEXT NOT NULL,
    start_ms       INTEGER NOT NULL,
    end_ms         INTEGER NOT NULL,
    asked          TEXT NOT NULL REFERENCES recipes (digest),
    actual         TEXT NOT NULL REFERENCES recipes (digest),
    degraded       INTEGER NOT NULL CHECK (degraded IN (0, 1)),
    text           TEXT NOT NULL,
    tokens         BLOB NOT NULL,
    finish         TEXT NOT NULL,
    frame_times_ms TEXT NOT NULL,
    frames_asked   INTEGER NOT NULL,
    frame_digest   TEXT NOT NULL,
    prompt_tokens  INTEGER NOT NULL,
    new_tokens     INTEGER NOT NULL,
    worker         TEXT NOT NULL,
    attempt        INTEGER NOT NULL,
    batch          INTEGER NOT NULL,
    prepare_ms     INTEGER NOT NULL,
    generate_ms    INTEGER NOT NULL,
    answered_at    INTEGER NOT NULL,
    memory_planned INTEGER,
    memory_used    INTEGER,
    option_logprobs TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX answers_by_question ON answers (fingerprint, asked, start_ms, end_ms);
CREATE INDEX answers_by_age ON answers (answered_at);

-- Where the scenes of a video begin, in ticks of its clock, as one detector saw it: found once, for every model.
CREATE TABLE cuts (
    fingerprint TEXT NOT NULL,
    detector    TEXT NOT NULL,
    pts         BLOB NOT NULL,
    found_at    INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, detector)
) STRICT, WITHOUT ROWID;

-- The unit of work, of checkpoint and of failure.
CREATE TABLE windows (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx         INTEGER NOT NULL,
    start_ms    INTEGER NOT NULL,
    end_ms      INTEGER NOT NULL CHECK (end_ms > start_ms),
    pts         BLOB NOT NULL,
    times_ms    TEXT NOT NULL,
    seek        INTEGER,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'answered', 'failed')),
    lease       INTEGER REFERENCES leases (id),
    attempt     INTEGER NOT NULL DEFAULT 0,
    failures    INTEGER NOT NULL DEFAULT 0,
    answer_id   INTEGER REFERENCES answers (id),
    code        TEXT,
    reason      TEXT,
    changed_at  INTEGER NOT NULL,
    UNIQUE (job_id, idx),
    CHECK ((state = 'leased') = (lease IS NOT NULL)),
    CHECK ((state = 'answered') = (answer_id IS NOT NULL)),
    CHECK (state <> 'failed' OR code IS NOT NULL)
) STRICT;
CREATE INDEX windows_by_state ON windows (job_id, state, idx);
CREATE INDEX windows_by_lease ON windows (lease) WHERE lease IS NOT NULL;
CREATE INDEX windows_by_answer ON windows (answer_id) WHERE answer_id IS NOT NULL;

-- A job whose questions depend on what other pipelines found in the same video waits for these jobs.
CREATE TABLE needs (
    job_id    INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    pipeline  TEXT NOT NULL,
    needed_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, pipeline)
) STRICT, WITHOUT ROWID;
CREATE INDEX needs_by_needed ON needs (needed_id);

-- Devices that were sent to rest, by UUID (a GPU) or name; they stay so over a restart, until they are resumed.
CREATE TABLE paused_devices (device TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT;

-- Every change of state of anything, in order: what happened, when, and why.
CREATE TABLE transitions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    entity      TEXT NOT NULL CHECK (entity IN ('file', 'job', 'window')),
    entity_id   INTEGER NOT NULL,
    job_id      INTEGER,
    old         TEXT,
    new         TEXT NOT NULL,
    code        TEXT,
    reason      TEXT
) STRICT;
CREATE INDEX transitions_by_job ON transitions (job_id, entity, id);

-- The arrows of the state machines; anything else is refused.
CREATE TABLE legal (entity TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (entity, old, new)) STRICT;
INSERT INTO legal VALUES
    ('file', 'registered', 'superseded'), ('file', 'refused', 'superseded'),
    ('job', 'indexing', 'waiting'), ('job', 'indexing', 'queued'), ('job', 'indexing', 'merging'),
    ('job', 'indexing', 'quarantined'), ('job', 'waiting', 'indexing'), ('job', 'queued', 'running'),
    ('job', 'queued', 'indexing'), ('job', 'running', 'merging'), ('job', 'running', 'indexing'),
    ('job', 'merging', 'done'), ('job', 'merging', 'indexing'), ('job', 'done', 'merging'), ('job', 'failed', 'merging'),
    ('job', 'done', 'indexing'), ('job', 'failed', 'indexing'), ('job', 'cancelled', 'indexing'),
    ('job', 'quarantined', 'indexing'),
    ('job', 'indexing', 'cancelled'), ('job', 'waiting', 'cancelled'), ('job', 'queued', 'cancelled'),
    ('job', 'running', 'cancelled'), ('job', 'merging', 'cancelled'),
    ('job', 'indexing', 'failed'), ('job', 'waiting', 'failed'), ('job', 'queued', 'failed'),
    ('job', 'running', 'failed'), ('job', 'merging', 'failed'),
    ('window', 'queued', 'leased'), ('window', 'leased', 'answered'), ('window', 'leased', 'queued'),
    ('window', 'leased', 'failed');

CREATE TRIGGER files_arrows BEFORE UPDATE OF state ON files WHEN OLD.state <> NEW.state
    AND NOT EXISTS (SELECT 1 FROM legal WHERE entity = 'file' AND old = OLD.state AND new = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal transition of a file'); END;

CREATE TRIGGER jobs_arrows BEFORE UPDATE OF state ON jobs WHEN OLD.state <> NEW.state
    AND NOT EXISTS (SELECT 1 FROM legal WHERE entity = 'job' AND old = OLD.state AND new = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal transition of a job'); END;

CREATE TRIGGER windows_arrows BEFORE UPDATE OF state ON windows WHEN OLD.state <> NEW.state
    AND NOT EXISTS (SELECT 1 FROM legal WHERE entity = 'window' AND old = OLD.state AND new = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal transition of a window'); END;

CREATE TRIGGER files_born AFTER INSERT ON files BEGIN
    INSERT INTO transitions (at, entity, entity_id, new, code, reason)
    VALUES (NEW.changed_at, 'file', NEW.id, NEW.state, NEW.code, NEW.reason);
END;
CREATE TRIGGER files_moved AFTER UPDATE OF state ON files WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO transitions (at, entity, entity_id, old, new, code, reason)
    VALUES (NEW.changed_at, 'file', NEW.id, OLD.state, NEW.state, NEW.code, NEW.reason);
END;

CREATE TRIGGER jobs_born AFTER INSERT ON jobs BEGIN
    INSERT INTO transitions (at, entity, entity_id, job_id, new) VALUES (NEW.changed_at, 'job', NEW.id, NEW.id, NEW.state);
END;
CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO transitions (at, entity, entity_id, job_id, old, new, code, reason)
    VALUES (NEW.changed_at, 'job', NEW.id, NEW.id, OLD.state, NEW.state, NEW.code, NEW.reason);
END;

CREATE TRIGGER windows_moved AFTER UPDATE OF state ON windows WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO transitions (at, entity, entity_id, job_id, old, new, code, reason)
    VALUES (NEW.changed_at, 'window', NEW.id, NEW.job_id, OLD.state, NEW.state, NEW.code, NEW.reason);
    UPDATE jobs SET
        leased   = leased   + (NEW.state = 'leased')   - (OLD.state = 'leased'),
        answered = answered + (NEW.state = 'answered') - (OLD.state = 'answered'),
        failed   = failed   + (NEW.state = 'failed')   - (OLD.state = 'failed')
    WHERE id = NEW.job_id;
END;
CREATE TRIGGER windows_born AFTER INSERT ON windows BEGIN
    UPDATE jobs SET
        total    = total + 1,
        answered = answered + (NEW.state = 'answered'),
        reused   = reused   + (NEW.state = 'answered')
    WHERE id = NEW.job_id;
END;
CREATE TRIGGER windows_dropped AFTER DELETE ON windows BEGIN
    UPDATE jobs SET
        total    = total - 1,
        leased   = leased   - (OLD.state = 'leased'),
        answered = answered - (OLD.state = 'answered'),
        failed   = failed   - (OLD.state = 'failed')
    WHERE id = OLD.job_id;
END;

-- Answers are facts.
CREATE TRIGGER answers_fixed BEFORE UPDATE ON answers
BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END;

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
