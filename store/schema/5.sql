-- A commit of many transitions touches few pages: events are added at the end,
-- whichever execution they are of; work is stored where it is looked up; an
-- execution's row changes with its status only.
CREATE TABLE events_5 (
  row         INTEGER PRIMARY KEY,
  execution   INTEGER NOT NULL REFERENCES executions,
  n           INTEGER NOT NULL,  -- from 1, without gaps
  event       TEXT NOT NULL,     -- JSON
  UNIQUE (execution, n)
) STRICT;
INSERT INTO events_5 (execution, n, event) SELECT execution, n, event FROM events ORDER BY execution, n;
DROP TABLE events;
ALTER TABLE events_5 RENAME TO events;

CREATE TABLE work_5 (
  execution   INTEGER NOT NULL REFERENCES executions,
  command     INTEGER NOT NULL,
  row         INTEGER NOT NULL,  -- the order of journalling: above all there are
  machine     TEXT NOT NULL,
  lane        TEXT NOT NULL,
  state       TEXT NOT NULL,
  due         INTEGER NOT NULL,  -- unix nanoseconds
  since       INTEGER NOT NULL,
  parked      TEXT NOT NULL,     -- why it waits for a person; '' if it does not
  PRIMARY KEY (execution, command)
) STRICT, WITHOUT ROWID;
INSERT INTO work_5 SELECT execution, command, row, machine, lane, state, due, since, parked FROM work;
DROP TABLE work;
ALTER TABLE work_5 RENAME TO work;
-- Work that may start when asked for is found in its order; work that waits
-- for a time is found by that time. Neither search walks over the other kind.
CREATE INDEX work_now    ON work (lane, row, due, since) WHERE parked = '' AND due <= since;
CREATE INDEX work_later  ON work (lane, due, row, since) WHERE parked = '' AND due > since;
CREATE INDEX work_parked ON work (execution, row, lane, since) WHERE parked <> '';

ALTER TABLE executions DROP COLUMN events;
