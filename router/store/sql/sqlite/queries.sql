-- name: last_generation
-- The routing file last in force.
SELECT number, digest, text FROM generations ORDER BY number DESC LIMIT 1;

-- name: insert_generation
-- A routing file comes into force.
INSERT INTO generations (number, digest, text, loaded_at) VALUES (?, ?, ?, ?);

-- name: newest_number
-- The number of the generation in force; null before the first.
SELECT max(number) FROM generations;

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
-- A delivery, as history keeps it; changes no row when it repeats another one.
INSERT INTO deliveries (
  id, origin, hook, provider_delivery_id, body_digest, received_at, status, reason, updates,
  replay_of
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (hook, provider_delivery_id, body_digest)
  WHERE provider_delivery_id IS NOT NULL AND status IN ('routed', 'accepted')
  DO NOTHING;

-- name: find_ref
-- A tracked ref's cursor and the sequence number given last.
SELECT id, cursor, sequence FROM refs WHERE repository = ? AND url = ? AND ref = ?;

-- name: insert_ref
-- A ref is planned for the first time.
INSERT INTO refs (repository, url, ref, cursor, sequence) VALUES (?, ?, ?, ?, ?);

-- name: update_ref
-- A plan moves the cursor and takes the next sequence number.
UPDATE refs SET cursor = ?, sequence = ? WHERE id = ?;

-- name: insert_commit
-- Remember a before or after of this ref, for ever; changes no row when it is known.
INSERT OR IGNORE INTO commits_seen (ref_id, commit_id) VALUES (?, ?);

-- name: insert_plan
-- One decision of a delivery.
INSERT INTO plans (
  delivery, generation, repository, knowledge, reason, ref, commit_id, before_id, cursor,
  unmapped_count, ref_id, sequence
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_match
-- Why a layer is, or is not, affected by a plan.
INSERT INTO matches (plan, ordinal, layer, is_affected, reason, path, pattern)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: raise_wanted
-- One more call is wanted; an idle receiver is due now, a waiting one keeps its turn.
INSERT INTO receivers (key, cluster, wanted, callable, due_at)
VALUES (:key, :cluster, 1, :is_open, :now)
ON CONFLICT (key) DO UPDATE SET
  wanted = wanted + 1,
  callable = CASE WHEN :is_open THEN wanted + 1 ELSE callable END,
  due_at = CASE WHEN :is_open AND callable <= notified THEN :now ELSE due_at END
RETURNING id, wanted;

-- name: insert_want
-- The layer that asked for a wanted number.
INSERT INTO wants (receiver, number, ordinal, plan, layer, is_held) VALUES (?, ?, ?, ?, ?, ?);

-- name: due_receivers
-- The receivers of a cluster that may be called now, oldest due first.
SELECT id, key, wanted, notified, failures, due_at FROM receivers
WHERE cluster = :cluster AND callable > notified AND due_at <= :now
  AND (lease_until IS NULL OR lease_until <= :now)
ORDER BY due_at, key
LIMIT :count;

-- name: lease
-- A receiver is ours until the lease ends.
UPDATE receivers SET lease_owner = ?, lease_until = ? WHERE id = ?;

-- name: asked
-- Who asked for the numbers a call serves, newest first.
SELECT w.layer, d.id AS delivery, p.repository, p.ref, p.commit_id, d.received_at
FROM wants w JOIN plans p ON p.id = w.plan JOIN deliveries d ON d.position = p.delivery
WHERE w.receiver = ? AND w.number > ? AND w.number <= ?
ORDER BY w.number DESC, w.ordinal DESC
LIMIT ?;

-- name: next_due
-- When the first waiting receiver may be called.
SELECT min(max(due_at, coalesce(lease_until, 0))) FROM receivers WHERE callable > notified;

-- name: find_receiver
-- A receiver's numbers, to record an attempt.
SELECT id, cluster, wanted, notified, callable, failures, due_at, lease_owner, lease_until
FROM receivers WHERE key = ?;

-- name: insert_attempt
-- One call and its outcome.
INSERT INTO attempts (
  receiver, wanted, started_at, duration_seconds, outcome, status, detail, retry_after_seconds
) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_receiver
-- What an attempt made of a receiver.
UPDATE receivers
SET notified = ?, failures = ?, due_at = ?, lease_owner = ?, lease_until = ?, last_attempt = ?
WHERE id = ?;

-- name: mark_unreachable
-- A cluster gave no answer.
INSERT INTO clusters (name, is_reachable) VALUES (?, 0)
ON CONFLICT (name) DO UPDATE SET is_reachable = 0 WHERE is_reachable;

-- name: mark_reachable
-- A cluster that gave no answer answers again; changes no row otherwise.
UPDATE clusters SET is_reachable = 1 WHERE name = ? AND NOT is_reachable;

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

-- name: delete_deliveries
-- Retention: the oldest deliveries that no receiver still has to be called for.
DELETE FROM deliveries WHERE position IN (
  SELECT d.position FROM deliveries d
  WHERE d.received_at < ? AND NOT EXISTS (
    SELECT 1 FROM plans p JOIN wants w ON w.plan = p.id JOIN receivers r ON r.id = w.receiver
    WHERE p.delivery = d.position AND w.number > r.notified
  )
  ORDER BY d.received_at, d.position LIMIT ?
);

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

-- name: layer_positions
-- Deliveries that affected a layer, newest first; one that did so twice comes twice.
SELECT p.delivery AS position FROM matches m JOIN plans p ON p.id = m.plan
WHERE m.layer = ? AND m.is_affected
ORDER BY m.plan DESC;

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
-- The attempts that served a delivery: on each of its receivers up to the first answered 200.
SELECT DISTINCT a.id, r.key AS receiver, a.wanted, a.started_at, a.duration_seconds, a.outcome,
  a.status, a.detail, a.retry_after_seconds
FROM plans p
JOIN wants w ON w.plan = p.id
JOIN receivers r ON r.id = w.receiver
JOIN attempts a ON a.receiver = w.receiver AND a.wanted >= w.number
WHERE p.delivery = ? AND NOT EXISTS (
  SELECT 1 FROM attempts n
  WHERE n.receiver = w.receiver AND n.wanted >= w.number AND n.outcome = 'notified' AND n.id < a.id
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
