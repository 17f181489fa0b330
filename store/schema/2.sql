-- The journal of the executions and their open work.
CREATE TABLE definitions (
  hash        TEXT PRIMARY KEY,
  definition  BLOB NOT NULL
) STRICT;

CREATE TABLE executions (
  n           INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  status      TEXT NOT NULL,
  events      INTEGER NOT NULL,  -- how many there are
  record      TEXT NOT NULL      -- JSON
) STRICT;
CREATE INDEX executions_status ON executions (status, n);

CREATE TABLE events (
  execution   INTEGER NOT NULL REFERENCES executions,
  n           INTEGER NOT NULL,  -- from 1, without gaps
  event       TEXT NOT NULL,     -- JSON
  PRIMARY KEY (execution, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE work (
  row         INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of journalling
  execution   INTEGER NOT NULL REFERENCES executions,
  command     INTEGER NOT NULL,
  lane        TEXT NOT NULL,
  state       TEXT NOT NULL,
  due         INTEGER NOT NULL,  -- unix nanoseconds
  since       INTEGER NOT NULL,
  parked      TEXT NOT NULL,     -- why it waits for a person; '' if it does not
  UNIQUE (execution, command)
) STRICT;
-- Work that may start when asked for is found in its order; work that waits
-- for a time is found by that time. Neither search walks over the other kind.
CREATE INDEX work_now    ON work (lane, row, due, since) WHERE parked = '' AND due <= since;
CREATE INDEX work_later  ON work (lane, due, row, since) WHERE parked = '' AND due > since;
CREATE INDEX work_parked ON work (execution) WHERE parked <> '';
CREATE INDEX work_lane   ON work (lane, since, parked); -- depth and age of the queues
