-- Where the scenes of a video begin, in ticks of its clock, as one detector saw it: found once, for every model.
CREATE TABLE cuts (
    fingerprint TEXT NOT NULL,
    detector    TEXT NOT NULL,
    pts         BLOB NOT NULL,
    found_at    INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, detector)
) STRICT, WITHOUT ROWID;
