-- Instants are microseconds since 1970-01-01 UTC. Free text from outside is kept as UTF-8 bytes
-- (BYTEA), because a path may hold bytes that are no text, and a NUL is no character to PostgreSQL.
-- Names and keys are compared byte by byte ("C"), whatever the locale of the database.
-- Rows of refs and receivers are referred to without a foreign key: refs are never removed,
-- receivers only while nothing refers to them, and each check would cost every push a look-up a row.

-- One row: the number of the routing file in force, 0 before the first. Whoever saves plans shares
-- a lock on the table, whoever brings a routing file into force has it alone: locks on tables are
-- given in turn, while those on a row may pass by one who waits to have it alone.
CREATE TABLE in_force (
  id SMALLINT PRIMARY KEY CHECK (id = 1),
  number BIGINT NOT NULL
);

INSERT INTO in_force (id, number) VALUES (1, 0);

CREATE TABLE generations (
  number BIGINT PRIMARY KEY,
  digest TEXT COLLATE "C" NOT NULL,
  text BYTEA NOT NULL,
  loaded_at BIGINT NOT NULL
);

CREATE TABLE definitions (
  layer TEXT COLLATE "C" PRIMARY KEY,
  digest TEXT COLLATE "C" NOT NULL
);

-- told: the commit that layers were told of last; the cursor, but after a fallback of git mode.
CREATE TABLE refs (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  repository TEXT COLLATE "C" NOT NULL,
  url TEXT COLLATE "C" NOT NULL,
  ref TEXT COLLATE "C" NOT NULL,
  cursor TEXT COLLATE "C",
  told TEXT COLLATE "C",
  sequence BIGINT NOT NULL DEFAULT 0,
  UNIQUE (repository, url, ref)
);

CREATE TABLE commits_seen (
  ref_id BIGINT NOT NULL,
  commit_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (ref_id, commit_id)
);

-- The refs that a wildcard stands for, and the commits they were last seen at.
CREATE TABLE tips (
  ref_id BIGINT NOT NULL,
  name BYTEA NOT NULL,
  commit_id TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX tips_by_name ON tips (ref_id, sha256(name));

-- position: a cursor for paging. It is drawn before the row is written, is never given twice, and
-- leaves gaps. once: SHA-256 of what a redelivery repeats, for an index entry has little room; NULL
-- where it cannot be told.
CREATE SEQUENCE positions;

CREATE TABLE deliveries (
  position BIGINT PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  origin TEXT COLLATE "C" NOT NULL,
  hook TEXT COLLATE "C",
  provider_delivery_id BYTEA,
  body_digest TEXT COLLATE "C",
  received_at BIGINT NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  reason BYTEA NOT NULL,
  updates BYTEA NOT NULL,
  replay_of TEXT COLLATE "C",
  once BYTEA
);

CREATE UNIQUE INDEX deliveries_once ON deliveries (once) WHERE status IN ('routed', 'accepted');

CREATE INDEX deliveries_by_age ON deliveries (received_at, position);

-- One row for each update of a delivery that had to wait for a look at its Git host: what became of
-- it, in the place of what the delivery's own column "updates" says. ordinal: its place in there.
CREATE TABLE hints (
  delivery BIGINT NOT NULL REFERENCES deliveries (position) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  repository TEXT COLLATE "C" NOT NULL,
  ref BYTEA NOT NULL,
  before_id TEXT COLLATE "C" NOT NULL,
  after_id TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  reason BYTEA NOT NULL,
  PRIMARY KEY (delivery, ordinal)
);

CREATE INDEX hints_waiting ON hints (repository, delivery, ordinal) WHERE status = 'accepted';
CREATE INDEX hints_by_before ON hints (repository, before_id);

-- affected: JSON, the affected layers in the order of the plan, as runs of [reason, [layer, ...]].
-- path_count: changed paths, 0 where they are not known. paths: JSON, the first of them in git mode;
-- else NULL, for the delivery's own column "updates" has them. id: drawn before the row is written.
CREATE SEQUENCE plan_ids;

CREATE TABLE plans (
  id BIGINT PRIMARY KEY,
  delivery BIGINT NOT NULL REFERENCES deliveries (position) ON DELETE CASCADE,
  generation BIGINT NOT NULL,
  repository TEXT COLLATE "C" NOT NULL,
  knowledge TEXT COLLATE "C" NOT NULL,
  reason BYTEA NOT NULL,
  ref BYTEA,
  commit_id TEXT COLLATE "C",
  before_id TEXT COLLATE "C",
  cursor TEXT COLLATE "C",
  told TEXT COLLATE "C",
  unmapped_count BIGINT NOT NULL,
  path_count BIGINT NOT NULL,
  paths BYTEA,
  ref_id BIGINT,
  sequence BIGINT,
  affected BYTEA NOT NULL
);

CREATE INDEX plans_by_delivery ON plans (delivery, id);

-- No rows for a plan whose column "affected" tells all there is to tell.
CREATE TABLE matches (
  plan BIGINT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  layer TEXT COLLATE "C" NOT NULL,
  is_affected BOOLEAN NOT NULL,
  reason BYTEA NOT NULL,
  path BYTEA,
  pattern BYTEA,
  PRIMARY KEY (plan, ordinal)
);

-- callable: the highest wanted number that a layer which is not suspended asked for.
CREATE TABLE receivers (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key TEXT COLLATE "C" NOT NULL UNIQUE,
  cluster TEXT COLLATE "C" NOT NULL,
  wanted BIGINT NOT NULL DEFAULT 0,
  notified BIGINT NOT NULL DEFAULT 0,
  callable BIGINT NOT NULL DEFAULT 0,
  failures BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  lease_owner TEXT COLLATE "C",
  lease_until BIGINT,
  last_attempt BIGINT,
  CHECK (notified <= wanted AND callable <= wanted)
);

CREATE INDEX receivers_due ON receivers (cluster, due_at, key) WHERE callable > notified;

-- One row for each layer that asked for a wanted number.
CREATE TABLE wants (
  receiver BIGINT NOT NULL,
  number BIGINT NOT NULL,
  ordinal INTEGER NOT NULL,
  plan BIGINT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  layer TEXT COLLATE "C" NOT NULL,
  is_held BOOLEAN NOT NULL,
  PRIMARY KEY (receiver, number, ordinal)
);

CREATE INDEX wants_by_plan ON wants (plan, ordinal);

-- Which receivers a layer ever wanted; with it, "wants" needs no index by layer.
CREATE TABLE layer_receivers (
  layer TEXT COLLATE "C" NOT NULL,
  receiver BIGINT NOT NULL,
  PRIMARY KEY (layer, receiver)
);

CREATE TABLE attempts (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver BIGINT NOT NULL,
  wanted BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  duration_seconds DOUBLE PRECISION NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL,
  status INTEGER,
  detail BYTEA NOT NULL,
  retry_after_seconds DOUBLE PRECISION
);

CREATE INDEX attempts_by_receiver ON attempts (receiver, wanted, outcome);
CREATE INDEX attempts_by_age ON attempts (started_at);

-- succeeded_at: when a call of this cluster was last recorded as answered 200.
CREATE TABLE clusters (
  name TEXT COLLATE "C" PRIMARY KEY,
  is_reachable BOOLEAN NOT NULL,
  succeeded_at BIGINT
);

-- One row, written to find out whether anything can be written.
CREATE TABLE checks (
  id SMALLINT PRIMARY KEY CHECK (id = 1),
  check_count BIGINT NOT NULL
);
