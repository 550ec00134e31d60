-- What forgetting needs: indices that find what belongs to a job or an answer, and the claims of forgotten jobs.

-- Results of jobs that were forgotten: their paths stay theirs, so that no other video's result takes their place.
CREATE TABLE claims (result TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_age ON answers (answered_at);
CREATE INDEX leases_by_job ON leases (job_id);
CREATE INDEX windows_by_answer ON windows (answer_id) WHERE answer_id IS NOT NULL;

DROP INDEX transitions_by_job;
CREATE INDEX transitions_by_job ON transitions (job_id, entity, id);
