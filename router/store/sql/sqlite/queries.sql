-- name: last_generation
-- The routing file last in force.
SELECT number, digest, text FROM generations ORDER BY number DESC LIMIT 1;

-- name: insert_generation
-- A routing file comes into force.
INSERT INTO generations (number, digest, text, loaded_at) VALUES (?, ?, ?, ?);

-- name: newest_number
-- The number of the generation in force; null before the first.
SELECT max(number) FROM generations;

-- name: standing
-- The generation in force, and the last one of a file with the given digest.
SELECT number, digest, (SELECT max(number) FROM generations WHERE digest = ?) AS own_number
FROM generations ORDER BY number DESC LIMIT 1;

-- name: definitions
-- Every layer's definition as last adopted.
SELECT layer, digest FROM definitions;

-- name: save_definition
-- A layer is adopted with this definition.
INSERT INTO definitions (layer, digest) VALUES (?, ?)
ON CONFLICT (layer) DO UPDATE SET digest = excluded.digest;

-- name: delete_definition
-- A layer left the routing file; it is adopted anew when it comes back.
DELETE FROM definitions WHERE layer = ?;

-- name: delete_unwanted_receivers
-- Receivers that a routing file once named and no plan ever wanted.
DELETE FROM receivers WHERE wanted = 0;

-- name: save_receiver
-- A receiver of the routing file and the cluster it is on.
INSERT INTO receivers (key, cluster, due_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster;

-- name: create_open_layers
-- For the length of an activation: which layers may have which receiver called.
CREATE TEMP TABLE IF NOT EXISTS open_layers (
  key TEXT NOT NULL,
  layer TEXT NOT NULL,
  PRIMARY KEY (key, layer)
) WITHOUT ROWID;

-- name: clear_open_layers
-- Forget the layers of the activation before.
DELETE FROM open_layers;

-- name: insert_open_layer
-- A layer that is not suspended at a receiver.
INSERT INTO open_layers (key, layer) VALUES (?, ?);

-- name: update_callable
-- Work out what may be called; a receiver that becomes callable is due now.
UPDATE receivers
SET callable = later.callable,
    due_at = CASE WHEN receivers.callable <= receivers.notified THEN ? ELSE due_at END
FROM (
  SELECT r.id, coalesce(
    (
      SELECT max(w.number) FROM wants w
      WHERE w.receiver = r.id AND w.number > r.notified
        AND EXISTS (SELECT 1 FROM open_layers o WHERE o.key = r.key AND o.layer = w.layer)
    ),
    min(r.callable, r.notified)
  ) AS callable
  FROM receivers r
) AS later
WHERE later.id = receivers.id AND later.callable <> receivers.callable;

-- name: first_delivery
-- The position of the delivery that another one repeats.
SELECT position FROM deliveries
WHERE hook = ? AND provider_delivery_id = ? AND body_digest = ?
  AND provider_delivery_id IS NOT NULL AND status IN ('routed', 'accepted');

-- name: insert_delivery
-- A delivery, as history keeps it; changes and returns no row when it repeats another one.
INSERT INTO deliveries (
  id, origin, hook, provider_delivery_id, body_digest, received_at, status, reason, updates,
  replay_of
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (hook, provider_delivery_id, body_digest)
  WHERE provider_delivery_id IS NOT NULL AND status IN ('routed', 'accepted')
  DO NOTHING
RETURNING id, position;

-- name: find_ref
-- A tracked ref's cursor and the sequence number given last.
SELECT id, cursor, told, sequence FROM refs WHERE repository = ? AND url = ? AND ref = ?;

-- name: insert_ref
-- A ref is heard of for the first time.
INSERT INTO refs (repository, url, ref, sequence) VALUES (?, ?, ?, 0);

-- name: find_refs
-- The cursors of tracked refs and the sequence numbers given last.
WITH asked (repository, url, ref) AS (VALUES (?, ?, ?))
SELECT r.id, r.repository, r.url, r.ref, r.cursor, r.told, r.sequence
FROM asked CROSS JOIN refs r USING (repository, url, ref);

-- name: move_refs
-- Plans have moved cursors and taken sequence numbers.
WITH moved (id, cursor, told, sequence) AS (VALUES (?, ?, ?, ?))
UPDATE refs SET cursor = moved.cursor, told = moved.told, sequence = moved.sequence
FROM moved WHERE moved.id = refs.id;

-- name: insert_commit
-- Remember a before or after of this ref, for ever; returns it unless it is known.
INSERT OR IGNORE INTO commits_seen (ref_id, commit_id) VALUES (?, ?)
RETURNING ref_id, commit_id;

-- name: insert_hint
-- An update of a delivery waits to be planned.
INSERT INTO hints (delivery, ordinal, repository, ref, before_id, after_id, status, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: close_hints
-- What a delivery has waiting for one ref waits no more; returns where it stands, if it did wait.
UPDATE hints SET status = ?, reason = ?
WHERE delivery = (SELECT position FROM deliveries WHERE id = ?)
  AND repository = ? AND ref = ? AND status = 'accepted'
RETURNING delivery;

-- name: hint_statuses
-- Whether any of a delivery's updates still waits, and whether any that did is routed.
SELECT max(status = 'accepted') AS is_waiting, max(status = 'routed') AS is_routed
FROM hints WHERE delivery = ?;

-- name: close_delivery
-- A delivery of which nothing waits any more; without a new reason it keeps its own.
UPDATE deliveries SET status = ?, reason = coalesce(?, reason)
WHERE position = ? AND status = 'accepted';

-- name: waiting_hints
-- The updates that wait for one entry, oldest first, and whether another push starts at their end.
SELECT h.delivery, h.ordinal, EXISTS (
  SELECT 1 FROM hints n
  WHERE n.repository = h.repository AND n.ref = h.ref AND n.before_id = h.after_id
    AND (n.delivery, n.ordinal) <> (h.delivery, h.ordinal)
) AS is_followed
FROM hints h
WHERE h.repository = ? AND h.status = 'accepted'
ORDER BY h.delivery, h.ordinal;

-- name: waiting_repositories
-- The entries for which updates wait.
SELECT DISTINCT repository FROM hints WHERE status = 'accepted' ORDER BY repository;

-- name: closed_hints
-- What became of the updates that waited, in the deliveries at the positions of a JSON array.
SELECT delivery, ordinal, status, reason FROM hints
WHERE delivery IN (SELECT value FROM json_each(?)) AND status <> 'accepted';

-- name: save_tip
-- Where a ref of a wildcard was last seen.
INSERT INTO tips (ref_id, name, commit_id) VALUES (?, ?, ?)
ON CONFLICT (ref_id, name) DO UPDATE SET commit_id = excluded.commit_id
  WHERE commit_id <> excluded.commit_id;

-- name: tips
-- Where the refs of a wildcard were last seen.
SELECT name, commit_id FROM tips WHERE ref_id = ?;

-- name: last_plan
-- The id of the newest plan; 0 before the first.
SELECT coalesce(max(id), 0) FROM plans;

-- name: insert_plan
-- One decision of a delivery.
INSERT INTO plans (
  id, delivery, generation, repository, knowledge, reason, ref, commit_id, before_id, cursor,
  told, unmapped_count, path_count, paths, ref_id, sequence, affected
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_match
-- Why a layer is, or is not, affected by a plan.
INSERT INTO matches (plan, ordinal, layer, is_affected, reason, path, pattern)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: raise_wanted
-- One more call is wanted; an idle receiver is due now, a waiting one keeps its turn.
INSERT INTO receivers (key, cluster, wanted, callable, due_at) VALUES (?, ?, 1, ?, ?)
ON CONFLICT (key) DO UPDATE SET
  wanted = wanted + 1,
  callable = CASE WHEN excluded.callable THEN wanted + 1 ELSE callable END,
  due_at = CASE WHEN excluded.callable AND callable <= notified THEN excluded.due_at ELSE due_at END
RETURNING id, key, wanted;

-- name: insert_want
-- The layer that asked for a wanted number.
INSERT INTO wants (receiver, number, ordinal, plan, layer, is_held) VALUES (?, ?, ?, ?, ?, ?);

-- name: clusters_due
-- Those of the clusters that have a receiver which may be called now.
SELECT c.value FROM json_each(:clusters) c WHERE EXISTS (
  SELECT 1 FROM receivers r
  WHERE r.cluster = c.value AND r.callable > r.notified AND r.due_at <= :now
    AND (r.lease_until IS NULL OR r.lease_until <= :now OR r.lease_until > :longest)
);

-- name: insert_layer_receiver
-- A layer wants this receiver; changes no row when it did so before.
INSERT OR IGNORE INTO layer_receivers (layer, receiver) VALUES (?, ?);

-- name: due_receivers
-- The receivers of a cluster that may be called now, oldest due first. A lease beyond the longest
-- that is given now is from before a start at which the wall clock had been set back: nobody has it.
SELECT id, key, cluster, wanted, notified, failures, due_at FROM receivers
WHERE cluster = :cluster AND callable > notified AND due_at <= :now
  AND (lease_until IS NULL OR lease_until <= :now OR lease_until > :longest)
ORDER BY due_at, key
LIMIT :count;

-- name: lease
-- Receivers are ours until the lease ends.
WITH leased (owner, until, id) AS (VALUES (?, ?, ?))
UPDATE receivers SET lease_owner = leased.owner, lease_until = leased.until
FROM leased WHERE leased.id = receivers.id;

-- name: asked_of_few
-- Who asked for the numbers that calls of several receivers serve, newest first for each.
WITH due (receiver, notified, wanted) AS (VALUES (?, ?, ?))
SELECT w.receiver, w.layer, d.id AS delivery, p.repository, p.ref, p.commit_id, d.received_at
FROM due CROSS JOIN wants w ON w.receiver = due.receiver
  AND w.number > due.notified AND w.number <= due.wanted
JOIN plans p ON p.id = w.plan JOIN deliveries d ON d.position = p.delivery
ORDER BY w.receiver, w.number DESC, w.ordinal DESC;

-- name: asked
-- Who asked for the numbers that a call of one receiver serves, newest first.
SELECT w.receiver, w.layer, d.id AS delivery, p.repository, p.ref, p.commit_id, d.received_at
FROM wants w JOIN plans p ON p.id = w.plan JOIN deliveries d ON d.position = p.delivery
WHERE w.receiver = ? AND w.number > ? AND w.number <= ?
ORDER BY w.number DESC, w.ordinal DESC
LIMIT ?;

-- name: next_due
-- When the first waiting receiver of the clusters is due or, for those due already, its lease ends.
SELECT min(instant) FROM (
  SELECT min(r.lease_until) AS instant
  FROM json_each(:clusters) c CROSS JOIN receivers r
  WHERE r.cluster = c.value AND r.callable > r.notified AND r.due_at <= :now
  UNION ALL
  SELECT (
    SELECT min(r.due_at) FROM receivers r
    WHERE r.cluster = c.value AND r.callable > r.notified AND r.due_at > :now
  ) FROM json_each(:clusters) c
);

-- name: find_receivers
-- Receivers' numbers and what is known of their clusters, to record attempts.
WITH asked (key) AS (VALUES (?))
SELECT r.id, r.key, r.cluster, r.wanted, r.notified, r.callable, r.failures, r.due_at,
  r.lease_owner, r.lease_until, c.is_reachable, c.succeeded_at
FROM asked CROSS JOIN receivers r USING (key) LEFT JOIN clusters c ON c.name = r.cluster;

-- name: last_attempt
-- The id of the newest attempt; 0 before the first.
SELECT coalesce(max(id), 0) FROM attempts;

-- name: insert_attempt
-- One call and its outcome.
INSERT INTO attempts (
  id, receiver, wanted, started_at, duration_seconds, outcome, status, detail, retry_after_seconds
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_receivers
-- What attempts made of their receivers.
WITH later (notified, failures, due_at, lease_owner, lease_until, last_attempt, id) AS (
  VALUES (?, ?, ?, ?, ?, ?, ?)
)
UPDATE receivers
SET notified = later.notified, failures = later.failures, due_at = later.due_at,
  lease_owner = later.lease_owner, lease_until = later.lease_until,
  last_attempt = later.last_attempt
FROM later WHERE later.id = receivers.id;

-- name: mark_unreachable
-- A cluster gave no answer; it keeps when it last answered 200.
INSERT INTO clusters (name, is_reachable) VALUES (?, 0)
ON CONFLICT (name) DO UPDATE SET is_reachable = 0 WHERE is_reachable;

-- name: mark_reachable
-- A cluster answered 200.
INSERT INTO clusters (name, is_reachable, succeeded_at) VALUES (?, 1, ?)
ON CONFLICT (name) DO UPDATE SET is_reachable = 1, succeeded_at = excluded.succeeded_at;

-- name: wake_cluster
-- The waiting receivers of a cluster are due now.
UPDATE receivers SET due_at = :now
WHERE cluster = :cluster AND callable > notified AND due_at > :now
  AND (lease_until IS NULL OR lease_until <= :now);

-- name: forget_all_failures
-- Every receiver starts anew; the waiting ones are due now.
UPDATE receivers
SET failures = 0, due_at = CASE WHEN callable > notified THEN min(due_at, ?) ELSE due_at END;

-- name: forget_failures
-- One receiver starts anew and, if it waits, is due now.
UPDATE receivers
SET failures = 0, due_at = CASE WHEN callable > notified THEN min(due_at, ?) ELSE due_at END
WHERE key = ?;

-- name: old_deliveries
-- Retention: the deliveries received before an instant, from a place on, oldest first.
SELECT received_at, position FROM deliveries
WHERE received_at < ? AND (received_at, position) > (?, ?)
ORDER BY received_at, position LIMIT ?;

-- name: is_waited_for
-- Whether a delivery still has to be planned, or a receiver to be called for it.
SELECT EXISTS (
  SELECT 1 FROM plans p JOIN wants w ON w.plan = p.id JOIN receivers r ON r.id = w.receiver
  WHERE p.delivery = :position AND w.number > r.notified
) OR EXISTS (SELECT 1 FROM hints h WHERE h.delivery = :position AND h.status = 'accepted');

-- name: delete_matches
-- Retention: so many matches of a delivery.
DELETE FROM matches WHERE (plan, ordinal) IN (
  SELECT m.plan, m.ordinal FROM plans p JOIN matches m ON m.plan = p.id WHERE p.delivery = ? LIMIT ?
);

-- name: delete_wants
-- Retention: so many wants of a delivery.
DELETE FROM wants WHERE (receiver, number, ordinal) IN (
  SELECT w.receiver, w.number, w.ordinal FROM plans p JOIN wants w ON w.plan = p.id
  WHERE p.delivery = ? LIMIT ?
);

-- name: delete_hints
-- Retention: so many of a delivery's updates that once waited.
DELETE FROM hints WHERE (delivery, ordinal) IN (
  SELECT h.delivery, h.ordinal FROM hints h WHERE h.delivery = ? LIMIT ?
);

-- name: delete_delivery
-- Retention: a delivery, its plans and what is left below them.
DELETE FROM deliveries WHERE position = ?;

-- name: delete_attempts
-- Retention: the oldest attempts but the last one of each receiver.
DELETE FROM attempts WHERE id IN (
  SELECT a.id FROM attempts a JOIN receivers r ON r.id = a.receiver
  WHERE a.started_at < ? AND a.id <> r.last_attempt
  ORDER BY a.started_at LIMIT ?
);

-- name: delete_generations
-- Retention: routing files that went out of force before an instant.
DELETE FROM generations WHERE EXISTS (
  SELECT 1 FROM generations later
  WHERE later.number = generations.number + 1 AND later.loaded_at < ?
);

-- name: deliveries
-- A page of deliveries, newest first.
SELECT * FROM deliveries WHERE position < ? ORDER BY position DESC LIMIT ?;

-- name: delivery_by_id
-- One delivery by its id.
SELECT * FROM deliveries WHERE id = ?;

-- name: delivery_at
-- One delivery by its position.
SELECT * FROM deliveries WHERE position = ?;

-- name: deliveries_at
-- The deliveries at the positions of a JSON array, newest first.
SELECT * FROM deliveries WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position DESC;

-- name: receivers_of
-- The receivers that a layer ever wanted.
SELECT receiver FROM layer_receivers WHERE layer = ?;

-- name: layer_positions
-- Plans in which a layer wanted a receiver, and their deliveries, newest plan first.
SELECT p.id, p.delivery FROM wants w JOIN plans p ON p.id = w.plan
WHERE w.receiver = ? AND w.layer = ?
ORDER BY w.number DESC;

-- name: plans_of
-- The plans of the deliveries at the positions of a JSON array, in the order they were made.
SELECT id, delivery, repository, knowledge, reason, ref, commit_id, before_id, cursor, told,
  unmapped_count, path_count, NULL AS paths, sequence, affected
FROM plans WHERE delivery IN (SELECT value FROM json_each(?)) ORDER BY id;

-- name: plans
-- The plans of a delivery, in the order they were made.
SELECT * FROM plans WHERE delivery = ? ORDER BY id;

-- name: matches
-- The matches of a plan, in the order of the plan.
SELECT layer, is_affected, reason, path, pattern FROM matches WHERE plan = ? ORDER BY ordinal;

-- name: wants
-- The wants of a plan, one row for each layer, in the order of the plan.
SELECT r.key, w.number, w.layer, w.is_held FROM wants w JOIN receivers r ON r.id = w.receiver
WHERE w.plan = ? ORDER BY w.ordinal;

-- name: serving_attempts
-- The attempts that served a delivery: on each receiver, by number, up to the first answered 200.
SELECT DISTINCT a.id, r.key AS receiver, a.wanted, a.started_at, a.duration_seconds, a.outcome,
  a.status, a.detail, a.retry_after_seconds
FROM (
  SELECT DISTINCT w.receiver, w.number FROM plans p JOIN wants w ON w.plan = p.id
  WHERE p.delivery = ?
) asked
CROSS JOIN receivers r ON r.id = asked.receiver
CROSS JOIN attempts a ON a.receiver = asked.receiver AND a.wanted >= asked.number
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
-- The numbers of every receiver ever wanted, and its last attempt.
SELECT r.key AS receiver, r.wanted AS receiver_wanted, r.notified, r.callable, r.failures, r.due_at,
  r.lease_until, a.id, a.wanted, a.started_at, a.duration_seconds, a.outcome, a.status, a.detail,
  a.retry_after_seconds
FROM receivers r LEFT JOIN attempts a ON a.id = r.last_attempt
WHERE r.wanted > 0
ORDER BY r.key;

-- name: write_check
-- Something small is written, and never the same: SQLite does not write what changes nothing.
INSERT INTO checks (id, check_count) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET check_count = check_count + 1;
