-- Machines by name, executions found by machine, status and time, and holds.
CREATE TABLE machines (
  name        TEXT PRIMARY KEY,
  revision    INTEGER NOT NULL,  -- counts the changes
  record      TEXT NOT NULL      -- JSON
) STRICT;

-- A hold keeps the work of executions above its mark from being begun.
CREATE TABLE holds (
  machine     TEXT PRIMARY KEY,  -- name, or '*' for all
  mark        INTEGER NOT NULL,  -- 0 is a pause; a drain lets executions up to it go on
  record      TEXT NOT NULL      -- JSON
) STRICT;

-- Before there were machines all executions were of the shipped definition.
ALTER TABLE executions ADD COLUMN machine TEXT NOT NULL DEFAULT 'inspection';
ALTER TABLE executions ADD COLUMN started INTEGER NOT NULL DEFAULT 0; -- unix nanoseconds
ALTER TABLE work       ADD COLUMN machine TEXT NOT NULL DEFAULT 'inspection';
UPDATE executions SET started = CAST(coalesce(unixepoch(json_extract(record, '$.startDate')), 0) AS INTEGER) * 1000000000;

-- Lists go by n, which the clock cannot disturb; those of a time go by it.
CREATE INDEX executions_machine        ON executions (machine, n);
CREATE INDEX executions_machine_status ON executions (machine, status, n);
CREATE INDEX executions_started        ON executions (started, n);
CREATE INDEX executions_status_started ON executions (status, started, n);
CREATE INDEX executions_machine_started        ON executions (machine, started, n);
CREATE INDEX executions_machine_status_started ON executions (machine, status, started, n);
