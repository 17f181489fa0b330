-- The ledger: one row per trigger, for ever. Order is the row number; times
-- are for people and for retention.
CREATE TABLE store (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  device      TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  triggers    INTEGER NOT NULL DEFAULT 0,
  reconciled  INTEGER NOT NULL DEFAULT 0 -- evidence folders below this number hold nothing uncommitted
) STRICT;

CREATE TABLE inspections (
  row         INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  request     TEXT NOT NULL,             -- '' if the asker named none
  trigger     TEXT NOT NULL,             -- JSON
  recipe      TEXT NOT NULL DEFAULT '',
  verdict     TEXT CHECK (verdict IN ('pass', 'fail', 'unsure')), -- NULL is in flight
  record      TEXT CHECK ((record IS NULL) = (verdict IS NULL)),  -- JSON, as accepted
  at          INTEGER NOT NULL DEFAULT 0, -- unix nanoseconds
  bytes       INTEGER NOT NULL DEFAULT 0, -- of evidence still on the disk
  quarantined INTEGER NOT NULL DEFAULT 0,
  closed      INTEGER NOT NULL DEFAULT 0,
  disposition TEXT                        -- JSON
) STRICT;

CREATE UNIQUE INDEX inspections_asked    ON inspections (source, request) WHERE request <> '';
CREATE INDEX        inspections_inflight ON inspections (row) WHERE verdict IS NULL;
CREATE INDEX        inspections_verdict  ON inspections (verdict, row);
CREATE INDEX        inspections_recipe   ON inspections (recipe, row);
CREATE INDEX        inspections_evidence ON inspections (row) WHERE bytes > 0 AND closed = 1;

CREATE TABLE tally (
  recipe      TEXT NOT NULL,
  verdict     TEXT NOT NULL,
  n           INTEGER NOT NULL,
  PRIMARY KEY (recipe, verdict)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER inspections_triggered AFTER INSERT ON inspections BEGIN
  UPDATE store SET triggers = triggers + 1;
END;
CREATE TRIGGER inspections_accepted AFTER INSERT ON inspections WHEN NEW.verdict IS NOT NULL BEGIN
  INSERT INTO tally VALUES (NEW.recipe, NEW.verdict, 1)
    ON CONFLICT (recipe, verdict) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER inspections_judged AFTER UPDATE OF verdict ON inspections WHEN OLD.verdict IS NULL BEGIN
  INSERT INTO tally VALUES (NEW.recipe, NEW.verdict, 1)
    ON CONFLICT (recipe, verdict) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER inspections_final BEFORE UPDATE OF verdict ON inspections WHEN OLD.verdict IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a verdict is final');
END;
CREATE TRIGGER inspections_kept BEFORE DELETE ON inspections BEGIN
  SELECT RAISE(ABORT, 'the ledger is append-only');
END;
