-- A replica's claim for a time: the look at an entry's Git host, or its sweep.
CREATE TABLE leases (
  name TEXT COLLATE "C" PRIMARY KEY,
  owner TEXT COLLATE "C" NOT NULL,
  until BIGINT NOT NULL
);

-- The replicas that live, until when that is known, and the routing file each has on its disk.
CREATE TABLE replicas (
  id TEXT COLLATE "C" PRIMARY KEY,
  digest TEXT COLLATE "C" NOT NULL,
  until BIGINT NOT NULL
);
