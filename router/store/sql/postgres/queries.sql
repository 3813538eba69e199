-- name: lock_schema
-- Until the transaction ends, nobody else migrates this schema.
SELECT pg_advisory_xact_lock(hashtext('flux-router migration in ' || current_schema())::bigint);

-- name: synchronous_commit
-- Whether a commit waits until it is durable.
SELECT current_setting('synchronous_commit');

-- name: has_migrations
-- Whether any version of this program has been here.
SELECT EXISTS (
  SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations'
);

-- name: create_migrations
-- Which migrations were applied, and when.
CREATE TABLE schema_migrations (
  number INTEGER PRIMARY KEY,
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- name: schema_number
-- The newest migration that was applied; null before the first.
SELECT max(number) FROM schema_migrations;

-- name: insert_migration
-- A migration was applied.
INSERT INTO schema_migrations (number) VALUES ($1);

-- name: begin
-- A transaction whose statements each see what was committed before them.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;

-- name: begin_reading
-- A transaction that sees one moment.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: commit
-- What the transaction wrote is durable when this returns.
COMMIT;

-- name: roll_back
-- Nothing that the transaction wrote stays.
ROLLBACK;

-- name: last_generation
-- The routing file last in force.
SELECT number, digest, text FROM generations ORDER BY number DESC LIMIT 1;

-- name: share_generation
-- The generation in force stays so until the transaction ends.
LOCK TABLE in_force IN SHARE MODE;

-- name: hold_generation
-- Nobody saves plans until the transaction ends, which waits for those who do.
LOCK TABLE in_force IN EXCLUSIVE MODE;

-- name: moment
-- The number in force; the time; positions and plan ids for what is to be saved.
SELECT number, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
  ARRAY(SELECT nextval('positions') FROM generate_series(1, $1::bigint)) AS positions,
  ARRAY(SELECT nextval('plan_ids') FROM generate_series(1, $2::bigint)) AS plans
FROM in_force;

-- name: insert_generation
-- A routing file comes into force.
WITH made AS (
  INSERT INTO generations (number, digest, text, loaded_at) VALUES ($1, $2, $3, $4)
)
UPDATE in_force SET number = $1;

-- name: report_replica
-- A replica lives and has a routing file on its disk; tells which one is in force.
WITH moment AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
), noted AS (
  INSERT INTO replicas (id, digest, until)
  SELECT $1, $2, moment.now + $3::bigint FROM moment
  ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, until = excluded.until
)
SELECT g.number, g.digest, EXISTS (
  SELECT 1 FROM replicas r WHERE r.id <> $1 AND r.digest = g.digest AND r.until > moment.now
) AS is_held, (SELECT max(o.number) FROM generations o WHERE o.digest = $2) AS own_number
FROM moment CROSS JOIN in_force JOIN generations g ON g.number = in_force.number;

-- name: forget_replica
-- A replica does not live any more.
DELETE FROM replicas WHERE id = $1;

-- name: take_lease
-- A lease is taken or renewed under the generation in force, unless another owner has it.
WITH moment AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now, number FROM in_force
), taken AS (
  INSERT INTO leases AS l (name, owner, until)
  SELECT $1, $2, moment.now + $3::bigint FROM moment WHERE moment.number = $4
  ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE l.owner = excluded.owner OR l.until <= excluded.until - $3
  RETURNING name
)
SELECT moment.number, EXISTS (SELECT 1 FROM taken) AS is_taken,
  (SELECT l.until - moment.now FROM leases l WHERE l.name = $1) AS micros_left
FROM moment;

-- name: release_lease
-- A lease ends.
DELETE FROM leases WHERE name = $1 AND owner = $2;

-- name: delete_lapsed
-- What replicas left behind that were killed more than some time ago.
WITH moment AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1::bigint AS before
), gone AS (
  DELETE FROM replicas WHERE until < (SELECT before FROM moment)
)
DELETE FROM leases WHERE until < (SELECT before FROM moment);

-- name: definitions
-- Every layer's definition as last adopted.
SELECT layer, digest FROM definitions;

-- name: save_definitions
-- Layers are adopted with these definitions.
INSERT INTO definitions (layer, digest) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (layer) DO UPDATE SET digest = excluded.digest;

-- name: delete_definitions
-- Layers left the routing file; each is adopted anew when it comes back.
DELETE FROM definitions WHERE layer = ANY($1::text[]);

-- name: lock_all_receivers
-- Nobody claims, records or wants a receiver until the transaction ends.
SELECT count(*) FROM (SELECT 1 FROM receivers ORDER BY key FOR UPDATE) AS locked;

-- name: delete_unwanted_receivers
-- Receivers that a routing file once named and no plan ever wanted.
DELETE FROM receivers WHERE wanted = 0;

-- name: save_receivers
-- The receivers of the routing file and the clusters they are on.
INSERT INTO receivers (key, cluster, due_at)
SELECT r.key, r.cluster, $3::bigint FROM unnest($1::text[], $2::text[]) AS r (key, cluster)
ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster
  WHERE receivers.cluster <> excluded.cluster;

-- name: update_callable
-- Work out what may be called by layers that are open; what becomes callable is due now.
WITH opened AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[]) AS o (key, layer)
), highest AS (
  SELECT r.id, max(w.number) AS number
  FROM receivers r
  JOIN wants w ON w.receiver = r.id AND w.number > r.notified
  JOIN opened o ON o.key = r.key AND o.layer = w.layer
  WHERE r.wanted > r.notified
  GROUP BY r.id
)
UPDATE receivers r
SET callable = later.callable,
    due_at = CASE WHEN r.callable <= r.notified THEN $3 ELSE r.due_at END
FROM (
  SELECT a.id, coalesce(h.number, least(a.callable, a.notified)) AS callable
  FROM receivers a LEFT JOIN highest h ON h.id = a.id
) AS later
WHERE later.id = r.id AND later.callable <> r.callable;

-- name: insert_deliveries
-- Deliveries, as history keeps them, in the order of what may repeat; returns those that did not.
INSERT INTO deliveries (
  position, id, origin, hook, provider_delivery_id, body_digest, received_at, status, reason,
  updates, replay_of, once
)
SELECT * FROM unnest(
  $1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[],
  $8::text[], $9::bytea[], $10::bytea[], $11::text[], $12::bytea[]
) AS d (
  position, id, origin, hook, provider_delivery_id, body_digest, received_at, status, reason,
  updates, replay_of, once
)
ORDER BY once, position
ON CONFLICT (once) WHERE status IN ('routed', 'accepted') DO NOTHING
RETURNING position;

-- name: first_deliveries
-- The positions of deliveries that others repeat.
SELECT once, position FROM deliveries
WHERE once = ANY($1::bytea[]) AND status IN ('routed', 'accepted');

-- name: withdraw_deliveries
-- Deliveries whose intents came to nothing after they had been inserted.
DELETE FROM deliveries WHERE position = ANY($1::bigint[]);

-- name: insert_refs
-- Refs that are heard of for the first time.
INSERT INTO refs (repository, url, ref)
SELECT a.repository, a.url, a.ref FROM unnest($1::text[], $2::text[], $3::text[]) AS a (
  repository, url, ref
)
WHERE NOT EXISTS (
  SELECT 1 FROM refs r WHERE r.repository = a.repository AND r.url = a.url AND r.ref = a.ref
)
ORDER BY a.repository COLLATE "C", a.url COLLATE "C", a.ref COLLATE "C"
ON CONFLICT DO NOTHING;

-- name: lock_refs
-- Tracked refs, whose cursors stay as they are told until the transaction ends.
SELECT r.id, r.repository, r.url, r.ref, r.cursor, r.told, r.sequence
FROM refs r
WHERE (r.repository, r.url, r.ref) IN (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
)
ORDER BY r.id FOR UPDATE;

-- name: find_ref
-- A tracked ref's cursor and the sequence number given last.
SELECT id, cursor, told, sequence FROM refs WHERE repository = $1 AND url = $2 AND ref = $3;

-- name: insert_commits
-- Remember befores and afters of refs, for ever; returns those that were new.
INSERT INTO commits_seen (ref_id, commit_id) SELECT * FROM unnest($1::bigint[], $2::text[])
ON CONFLICT DO NOTHING
RETURNING ref_id, commit_id;

-- name: forget_commits
-- Commits of intents that came to nothing.
DELETE FROM commits_seen
WHERE (ref_id, commit_id) IN (SELECT * FROM unnest($1::bigint[], $2::text[]));

-- name: update_refs
-- Plans moved these cursors and took these sequence numbers.
UPDATE refs r SET cursor = n.cursor, told = n.told, sequence = n.sequence
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS n (id, cursor, told, sequence)
WHERE r.id = n.id;

-- name: save_tips
-- Where the refs of a wildcard were last seen.
INSERT INTO tips AS t (ref_id, name, commit_id)
SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[])
ON CONFLICT (ref_id, sha256(name)) DO UPDATE SET commit_id = excluded.commit_id
  WHERE t.commit_id <> excluded.commit_id;

-- name: tips
-- Where the refs of a wildcard were last seen.
SELECT name, commit_id FROM tips WHERE ref_id = $1;

-- name: insert_hints
-- Updates of deliveries wait to be planned.
INSERT INTO hints (delivery, ordinal, repository, ref, before_id, after_id, status, reason)
SELECT * FROM unnest(
  $1::bigint[], $2::integer[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
  $8::bytea[]
);

-- name: lock_waiting
-- The deliveries that closings are about, in the order of their positions.
SELECT position, id FROM deliveries WHERE id = ANY($1::text[]) ORDER BY position FOR UPDATE;

-- name: close_hints
-- What deliveries have waiting for one ref each waits no more; returns where something did wait.
UPDATE hints h SET status = c.status, reason = c.reason
FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::bytea[]) AS c (
  delivery, ref, status, reason
)
WHERE h.delivery = c.delivery AND h.ref = c.ref AND h.repository = $5 AND h.status = 'accepted'
RETURNING h.delivery, h.ref;

-- name: hint_statuses
-- Whether any update of each delivery still waits, and whether any that did is routed.
SELECT delivery, bool_or(status = 'accepted') AS is_waiting,
  bool_or(status = 'routed') AS is_routed
FROM hints WHERE delivery = ANY($1::bigint[]) GROUP BY delivery;

-- name: close_deliveries
-- Deliveries of which nothing waits any more; without a new reason each keeps its own.
UPDATE deliveries d SET status = c.status, reason = coalesce(c.reason, d.reason)
FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS c (position, status, reason)
WHERE d.position = c.position AND d.status = 'accepted';

-- name: waiting_hints
-- The updates that wait for one entry, oldest first, and whether another push starts at their end.
SELECT h.delivery, h.ordinal, EXISTS (
  SELECT 1 FROM hints n
  WHERE n.repository = h.repository AND n.ref = h.ref AND n.before_id = h.after_id
    AND (n.delivery, n.ordinal) <> (h.delivery, h.ordinal)
) AS is_followed
FROM hints h
WHERE h.repository = $1 AND h.status = 'accepted'
ORDER BY h.delivery, h.ordinal;

-- name: waiting_repositories
-- The entries for which updates wait.
SELECT DISTINCT repository FROM hints WHERE status = 'accepted' ORDER BY repository;

-- name: closed_hints
-- What became of the updates that waited, in the deliveries at some positions.
SELECT delivery, ordinal, status, reason FROM hints
WHERE delivery = ANY($1::bigint[]) AND status <> 'accepted';

-- name: insert_plans
-- Decisions of deliveries.
INSERT INTO plans (
  id, delivery, generation, repository, knowledge, reason, ref, commit_id, before_id, cursor,
  told, unmapped_count, path_count, paths, ref_id, sequence, affected
)
SELECT * FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
  $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bytea[],
  $15::bigint[], $16::bigint[], $17::bytea[]
);

-- name: insert_matches
-- Why layers are, or are not, affected by plans.
INSERT INTO matches (plan, ordinal, layer, is_affected, reason, path, pattern)
SELECT * FROM unnest(
  $1::bigint[], $2::integer[], $3::text[], $4::boolean[], $5::bytea[], $6::bytea[], $7::bytea[]
);

-- name: raise_wanted
-- More calls are wanted; an idle receiver is due now, a waiting one keeps its turn.
INSERT INTO receivers AS r (key, cluster, wanted, callable, due_at)
SELECT n.key, n.cluster, n.count, n.last_open, $5::bigint
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS n (
  key, cluster, count, last_open
)
ORDER BY n.key COLLATE "C"
ON CONFLICT (key) DO UPDATE SET
  wanted = r.wanted + excluded.wanted,
  callable = CASE WHEN excluded.callable > 0 THEN r.wanted + excluded.callable ELSE r.callable END,
  due_at = CASE
    WHEN excluded.callable > 0 AND r.callable <= r.notified THEN excluded.due_at ELSE r.due_at
  END
RETURNING r.id, r.key, r.wanted;

-- name: insert_wants
-- The layers that asked for wanted numbers, and which receivers they ever wanted.
WITH asked AS (
  SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::integer[], $4::bigint[], $5::text[], $6::boolean[]
  ) AS w (receiver, number, ordinal, plan, layer, is_held)
), known AS (
  INSERT INTO layer_receivers (layer, receiver)
  SELECT DISTINCT a.layer, a.receiver FROM asked a
  WHERE NOT EXISTS (
    SELECT 1 FROM layer_receivers l WHERE l.layer = a.layer AND l.receiver = a.receiver
  )
  ON CONFLICT DO NOTHING
)
INSERT INTO wants (receiver, number, ordinal, plan, layer, is_held) SELECT * FROM asked;

-- name: claim_due
-- Under the generation in force, lease due receivers, oldest first, and tell who asked, newest first.
WITH moment AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM in_force WHERE number = $7
), due AS MATERIALIZED (
  SELECT found.id, found.key, found.due_at
  FROM moment
  CROSS JOIN unnest($1::text[], $2::bigint[]) AS room (cluster, count)
  CROSS JOIN LATERAL (
    SELECT r.id, r.key, r.due_at FROM receivers r
    WHERE r.cluster = room.cluster AND r.callable > r.notified AND r.due_at <= moment.now
      AND (r.lease_until IS NULL OR r.lease_until <= moment.now)
    ORDER BY r.due_at, r.key
    LIMIT room.count
    FOR NO KEY UPDATE SKIP LOCKED
  ) AS found
), claimed AS (
  UPDATE receivers r SET lease_owner = $4, lease_until = moment.now + $5
  FROM moment, (SELECT id FROM due ORDER BY due_at, key LIMIT $3) AS first
  WHERE r.id = first.id
  RETURNING r.id, r.key, r.cluster, r.wanted, r.notified, r.failures, r.due_at, moment.now
)
SELECT c.id, c.key, c.cluster, c.wanted, c.notified, c.failures, c.due_at, c.now,
  a.number, a.layer, a.delivery, a.repository, a.ref, a.commit_id, a.received_at
FROM claimed c
LEFT JOIN LATERAL (
  SELECT w.number, w.ordinal, w.layer, d.id AS delivery, p.repository, p.ref, p.commit_id,
    d.received_at
  FROM wants w JOIN plans p ON p.id = w.plan JOIN deliveries d ON d.position = p.delivery
  WHERE w.receiver = c.id AND w.number > c.notified AND w.number <= c.wanted
  ORDER BY w.number DESC, w.ordinal DESC
  LIMIT $6
) AS a ON TRUE
ORDER BY c.due_at, c.key, a.number, a.ordinal;

-- name: asked
-- Who asked for numbers of receivers, from one on and up to another, the newest of them.
SELECT r.id, a.number, a.layer, a.delivery, a.repository, a.ref, a.commit_id, a.received_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r (id, notified, wanted)
CROSS JOIN LATERAL (
  SELECT w.number, w.ordinal, w.layer, d.id AS delivery, p.repository, p.ref, p.commit_id,
    d.received_at
  FROM wants w JOIN plans p ON p.id = w.plan JOIN deliveries d ON d.position = p.delivery
  WHERE w.receiver = r.id AND w.number > r.notified AND w.number <= r.wanted
  ORDER BY w.number DESC, w.ordinal DESC
  LIMIT $4
) AS a
ORDER BY r.id, a.number, a.ordinal;

-- name: next_due
-- Until a waiting receiver of the clusters is due or may be free; and the generation in force.
WITH moment AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
)
SELECT min(instant) - min(now) AS micros_left, (SELECT number FROM in_force) AS number FROM (
  SELECT moment.now, CASE
    WHEN r.lease_until > moment.now THEN r.lease_until ELSE moment.now + $2
  END AS instant
  FROM moment
  CROSS JOIN unnest($1::text[]) AS c (cluster)
  JOIN receivers r ON r.cluster = c.cluster AND r.callable > r.notified
    AND r.due_at <= moment.now
  UNION ALL
  SELECT moment.now, (
    SELECT min(r.due_at) FROM receivers r
    WHERE r.cluster = c.cluster AND r.callable > r.notified AND r.due_at > moment.now
  )
  FROM moment CROSS JOIN unnest($1::text[]) AS c (cluster)
) AS waiting;

-- name: lock_clusters
-- What is known of the clusters of some receivers, until the transaction ends.
SELECT name, is_reachable, succeeded_at FROM clusters
WHERE name IN (SELECT cluster FROM receivers WHERE key = ANY($1::text[]))
ORDER BY name FOR NO KEY UPDATE;

-- name: insert_clusters
-- The clusters of some receivers, of which nothing bad is known.
INSERT INTO clusters (name, is_reachable)
SELECT DISTINCT cluster, TRUE FROM receivers WHERE key = ANY($1::text[]) ORDER BY cluster
ON CONFLICT DO NOTHING;

-- name: lock_receivers
-- The numbers of some receivers and of those that wait on some clusters; and the time.
SELECT r.id, r.key, r.cluster, r.wanted, r.notified, r.callable, r.failures, r.due_at,
  r.lease_owner, r.lease_until, m.now
FROM receivers r CROSS JOIN (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
) AS m
WHERE r.key = ANY($1::text[]) OR (r.cluster = ANY($2::text[]) AND r.callable > r.notified)
ORDER BY r.key FOR NO KEY UPDATE OF r;

-- name: record_attempts
-- Calls and their outcomes, and what they made of the numbers of receivers.
WITH recorded AS (
  INSERT INTO attempts (
    receiver, wanted, started_at, duration_seconds, outcome, status, detail, retry_after_seconds
  )
  SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::bigint[], $4::double precision[], $5::text[], $6::integer[],
    $7::bytea[], $8::double precision[]
  )
  RETURNING id, receiver
)
UPDATE receivers r
SET notified = n.notified, failures = n.failures, due_at = n.due_at, lease_owner = n.lease_owner,
    lease_until = n.lease_until, last_attempt = coalesce(a.id, r.last_attempt)
FROM unnest(
  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[]
) AS n (id, notified, failures, due_at, lease_owner, lease_until)
LEFT JOIN recorded a ON a.receiver = n.id
WHERE r.id = n.id;

-- name: save_clusters
-- Whether clusters answer, and when they last answered 200.
UPDATE clusters c SET is_reachable = n.is_reachable, succeeded_at = n.succeeded_at
FROM unnest($1::text[], $2::boolean[], $3::bigint[]) AS n (name, is_reachable, succeeded_at)
WHERE c.name = n.name;

-- name: forget_failures
-- All receivers, or those named, start anew; the waiting ones are due now.
UPDATE receivers r SET failures = 0, due_at = CASE
  WHEN r.callable > r.notified
    THEN least(r.due_at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
  ELSE r.due_at
END
FROM (
  SELECT id FROM receivers WHERE $1::text[] IS NULL OR key = ANY($1::text[])
  ORDER BY key FOR NO KEY UPDATE
) AS locked
WHERE r.id = locked.id;

-- name: old_deliveries
-- Retention: the deliveries received before an instant, from a place on, oldest first.
SELECT received_at, position FROM deliveries
WHERE received_at < $1 AND (received_at, position) > ($2, $3)
ORDER BY received_at, position LIMIT $4;

-- name: waited_for
-- Those of some deliveries that still have to be planned, or a receiver to be called for them.
SELECT p.delivery FROM plans p
JOIN wants w ON w.plan = p.id JOIN receivers r ON r.id = w.receiver
WHERE p.delivery = ANY($1::bigint[]) AND w.number > r.notified
UNION
SELECT h.delivery FROM hints h WHERE h.delivery = ANY($1::bigint[]) AND h.status = 'accepted';

-- name: delete_matches
-- Retention: so many matches of a delivery.
DELETE FROM matches WHERE (plan, ordinal) IN (
  SELECT m.plan, m.ordinal FROM plans p JOIN matches m ON m.plan = p.id
  WHERE p.delivery = $1 LIMIT $2
)
RETURNING plan;

-- name: delete_wants
-- Retention: so many wants of a delivery.
DELETE FROM wants WHERE (receiver, number, ordinal) IN (
  SELECT w.receiver, w.number, w.ordinal FROM plans p JOIN wants w ON w.plan = p.id
  WHERE p.delivery = $1 LIMIT $2
)
RETURNING plan;

-- name: delete_deliveries
-- Retention: deliveries, their plans and what is left below them.
DELETE FROM deliveries WHERE position = ANY($1::bigint[]);

-- name: delete_attempts
-- Retention: the oldest attempts but the last one of each receiver.
DELETE FROM attempts WHERE id IN (
  SELECT a.id FROM attempts a JOIN receivers r ON r.id = a.receiver
  WHERE a.started_at < $1 AND a.id <> r.last_attempt
  ORDER BY a.started_at LIMIT $2
)
RETURNING id;

-- name: delete_generations
-- Retention: routing files that went out of force before an instant.
DELETE FROM generations WHERE EXISTS (
  SELECT 1 FROM generations later
  WHERE later.number = generations.number + 1 AND later.loaded_at < $1
);

-- name: deliveries
-- A page of deliveries, newest first.
SELECT * FROM deliveries WHERE position < $1 ORDER BY position DESC LIMIT $2;

-- name: delivery_by_id
-- One delivery by its id.
SELECT * FROM deliveries WHERE id = $1;

-- name: deliveries_at
-- The deliveries at some positions, newest first.
SELECT * FROM deliveries WHERE position = ANY($1::bigint[]) ORDER BY position DESC;

-- name: receivers_of
-- The receivers that a layer ever wanted.
SELECT receiver FROM layer_receivers WHERE layer = $1;

-- name: layer_positions
-- Plans in which a layer wanted a receiver, and their deliveries, newest plan first.
SELECT p.id, p.delivery FROM wants w JOIN plans p ON p.id = w.plan
WHERE w.receiver = $1 AND w.layer = $2
ORDER BY w.number DESC;

-- name: plans_of
-- The plans of the deliveries at some positions, in the order they were made.
SELECT id, delivery, repository, knowledge, reason, ref, commit_id, before_id, cursor, told,
  unmapped_count, path_count, NULL AS paths, sequence, affected
FROM plans WHERE delivery = ANY($1::bigint[]) ORDER BY id;

-- name: plans
-- The plans of a delivery, in the order they were made.
SELECT * FROM plans WHERE delivery = $1 ORDER BY id;

-- name: matches
-- The matches of some plans, in the order of each.
SELECT plan, layer, is_affected, reason, path, pattern FROM matches
WHERE plan = ANY($1::bigint[]) ORDER BY plan, ordinal;

-- name: wants
-- The wants of some plans, one row for each layer, in the order of each.
SELECT w.plan, r.key, w.number, w.layer, w.is_held
FROM wants w JOIN receivers r ON r.id = w.receiver
WHERE w.plan = ANY($1::bigint[]) ORDER BY w.plan, w.ordinal;

-- name: serving_attempts
-- The attempts that served a delivery: on each receiver, by number, up to the first answered 200.
SELECT DISTINCT a.id, r.key AS receiver, a.wanted, a.started_at, a.duration_seconds, a.outcome,
  a.status, a.detail, a.retry_after_seconds
FROM (
  SELECT DISTINCT w.receiver, w.number FROM plans p JOIN wants w ON w.plan = p.id
  WHERE p.delivery = $1
) asked
JOIN receivers r ON r.id = asked.receiver
JOIN attempts a ON a.receiver = asked.receiver AND a.wanted >= asked.number
  AND a.wanted <= coalesce((
    SELECT n.wanted FROM attempts n
    WHERE n.receiver = asked.receiver AND n.wanted >= asked.number AND n.outcome = 'notified'
    ORDER BY n.wanted LIMIT 1
  ), 9223372036854775807)
WHERE NOT EXISTS (
  SELECT 1 FROM attempts n
  WHERE n.receiver = a.receiver AND n.wanted = a.wanted AND n.outcome = 'notified' AND n.id < a.id
)
ORDER BY a.id;

-- name: receivers
-- The numbers of every receiver ever wanted, and its last attempt; and the time.
SELECT r.key AS receiver, r.wanted AS receiver_wanted, r.notified, r.callable, r.failures, r.due_at,
  r.lease_until, a.id, a.wanted, a.started_at, a.duration_seconds, a.outcome, a.status, a.detail,
  a.retry_after_seconds, m.now
FROM receivers r LEFT JOIN attempts a ON a.id = r.last_attempt CROSS JOIN (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
) AS m
WHERE r.wanted > 0
ORDER BY r.key;

-- name: write_check
-- Something small is written.
INSERT INTO checks (id, check_count) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET check_count = checks.check_count + 1;
