CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  receiver INTEGER NOT NULL REFERENCES receivers (id),
  wanted INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  duration_seconds REAL NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  detail BLOB NOT NULL,
  retry_after_seconds REAL
);
CREATE TABLE checks (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  check_count INTEGER NOT NULL
);
CREATE TABLE clusters (
  name TEXT PRIMARY KEY,
  is_reachable INTEGER NOT NULL,
  succeeded_at INTEGER
) WITHOUT ROWID;
CREATE TABLE commits_seen (
  ref_id INTEGER NOT NULL REFERENCES refs (id),
  commit_id TEXT NOT NULL,
  PRIMARY KEY (ref_id, commit_id)
) WITHOUT ROWID;
CREATE TABLE definitions (
  layer TEXT PRIMARY KEY,
  digest TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE deliveries (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  origin TEXT NOT NULL,
  hook TEXT,
  provider_delivery_id BLOB,
  body_digest TEXT,
  received_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  reason BLOB NOT NULL,
  updates BLOB NOT NULL,
  replay_of TEXT
);
CREATE TABLE generations (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  text BLOB NOT NULL,
  loaded_at INTEGER NOT NULL
);
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
CREATE TABLE layer_receivers (
  layer TEXT NOT NULL,
  receiver INTEGER NOT NULL REFERENCES receivers (id),
  PRIMARY KEY (layer, receiver)
) WITHOUT ROWID;
CREATE TABLE matches (
  plan INTEGER NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  layer TEXT NOT NULL,
  is_affected INTEGER NOT NULL,
  reason BLOB NOT NULL,
  path BLOB,
  pattern BLOB,
  PRIMARY KEY (plan, ordinal)
) WITHOUT ROWID;
CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  delivery INTEGER NOT NULL REFERENCES deliveries (position) ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  repository TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  reason BLOB NOT NULL,
  ref BLOB,
  commit_id TEXT,
  before_id TEXT,
  cursor TEXT,
  unmapped_count INTEGER NOT NULL,
  ref_id INTEGER REFERENCES refs (id),
  sequence INTEGER,
  affected BLOB NOT NULL
, path_count INTEGER NOT NULL DEFAULT 0, paths BLOB, told TEXT);
CREATE TABLE receivers (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  cluster TEXT NOT NULL,
  wanted INTEGER NOT NULL DEFAULT 0,
  notified INTEGER NOT NULL DEFAULT 0,
  callable INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  lease_owner TEXT,
  lease_until INTEGER,
  last_attempt INTEGER,
  CHECK (notified <= wanted AND callable <= wanted)
);
CREATE TABLE refs (
  id INTEGER PRIMARY KEY,
  repository TEXT NOT NULL,
  url TEXT NOT NULL,
  ref TEXT NOT NULL,
  cursor TEXT,
  sequence INTEGER NOT NULL, told TEXT,
  UNIQUE (repository, url, ref)
);
CREATE TABLE tips (
  ref_id INTEGER NOT NULL REFERENCES refs (id),
  name BLOB NOT NULL,
  commit_id TEXT NOT NULL,
  PRIMARY KEY (ref_id, name)
) WITHOUT ROWID;
CREATE TABLE wants (
  receiver INTEGER NOT NULL REFERENCES receivers (id),
  number INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  plan INTEGER NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  layer TEXT NOT NULL,
  is_held INTEGER NOT NULL,
  PRIMARY KEY (receiver, number, ordinal)
) WITHOUT ROWID;
CREATE INDEX attempts_by_age ON attempts (started_at);
CREATE INDEX attempts_by_receiver ON attempts (receiver, wanted, outcome);
CREATE INDEX deliveries_by_age ON deliveries (received_at);
CREATE UNIQUE INDEX deliveries_once
  ON deliveries (hook, provider_delivery_id, body_digest)
  WHERE provider_delivery_id IS NOT NULL AND status IN ('routed', 'accepted');
CREATE INDEX hints_by_before ON hints (repository, ref, before_id);
CREATE INDEX hints_waiting ON hints (repository) WHERE status = 'accepted';
CREATE INDEX plans_by_delivery ON plans (delivery);
CREATE INDEX receivers_due ON receivers (cluster, due_at, key) WHERE callable > notified;
CREATE INDEX wants_by_plan ON wants (plan, ordinal);
