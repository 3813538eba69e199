-- One row for each update of a delivery that had to wait for a look at its Git host: what became of
-- it, in the place of what the delivery's own column "updates" says. ordinal: its place in there.
CREATE TABLE hints (
  delivery INTEGER NOT NULL REFERENCES deliveries (position) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  repository TEXT NOT NULL,
  ref BLOB NOT NULL,
  before_id TEXT NOT NULL,
  after_id TEXT NOT NULL,
  status TEXT NOT NULL,
  reason BLOB NOT NULL,
  PRIMARY KEY (delivery, ordinal)
) WITHOUT ROWID;

CREATE INDEX hints_waiting ON hints (repository) WHERE status = 'accepted';
CREATE INDEX hints_by_before ON hints (repository, ref, before_id);

-- The refs that a wildcard stands for, and the commits they were last seen at.
CREATE TABLE tips (
  ref_id INTEGER NOT NULL REFERENCES refs (id),
  name BLOB NOT NULL,
  commit_id TEXT NOT NULL,
  PRIMARY KEY (ref_id, name)
) WITHOUT ROWID;

-- "exact" is from now on what comparing two trees proved; until now only file lists were read.
UPDATE plans SET knowledge = 'payload' WHERE knowledge = 'exact';

-- path_count: changed paths, 0 where they are not known. paths: JSON, the first of them in git mode;
-- else NULL, for the delivery's own column "updates" has them.
ALTER TABLE plans ADD COLUMN path_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plans ADD COLUMN paths BLOB;

-- told: the commit that layers were told of last; the cursor, but after a fallback of git mode.
ALTER TABLE plans ADD COLUMN told TEXT;
UPDATE plans SET told = cursor;

ALTER TABLE refs ADD COLUMN told TEXT;
UPDATE refs SET told = cursor;
