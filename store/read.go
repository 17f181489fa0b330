package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"inspector"
)

// A Record is an accepted inspection and what became of it since.
type Record struct {
	inspector.Inspection
	Row         int64                  `json:"row"`
	Quarantined bool                   `json:"quarantined"`
	Closed      bool                   `json:"closed"`
	Expired     bool                   `json:"expired,omitzero"` // retention took the evidence
	Disposition *inspector.Disposition `json:"disposition,omitempty"`

	Acknowledged *inspector.Acknowledgement `json:"acknowledged,omitempty"`
}

// A Filter chooses inspections; empty fields choose all.
type Filter struct {
	Verdict inspector.Verdict
	Recipe  string
	Before  int64 // only rows below; 0 is from the newest
	Limit   int   // 0 is 100
}

// Inspections gives accepted inspections, the newest row first.
func (s *Store) Inspections(ctx context.Context, f Filter) ([]Record, error) {
	q := selectRecords + ` WHERE verdict IS NOT NULL`
	var args []any
	for _, c := range []struct {
		wanted    bool
		condition string
		value     any
	}{
		{f.Verdict != "", ` AND verdict = ?`, string(f.Verdict)},
		{f.Recipe != "", ` AND recipe = ?`, f.Recipe},
		{f.Before > 0, ` AND row < ?`, f.Before},
	} {
		if c.wanted {
			q, args = q+c.condition, append(args, c.value)
		}
	}
	all, err := query(ctx, s.readers, record, q+` ORDER BY row DESC LIMIT ?`, append(args, limit(f.Limit))...)
	return all, wrap(err, "list inspections")
}

// Inspection gives one inspection, ErrInFlight or ErrNotFound.
func (s *Store) Inspection(ctx context.Context, id string) (Record, error) {
	row, err := s.row(id)
	if err != nil {
		return Record{}, err
	}
	found, err := query(ctx, s.readers, record, selectRecords+` WHERE row = ?`, row)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Record{}, wrap(err, "inspection %s", id)
	}
	return found[0], nil
}

// Asked gives the inspection that the source asked for with this request,
// ErrInFlight or ErrNotFound. No request is never found.
func (s *Store) Asked(ctx context.Context, source, request string) (Record, error) {
	found, err := query(ctx, s.readers, record, selectRecords+` WHERE source = ? AND request = ? AND request <> ''`, source, request)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Record{}, wrap(err, "request %q from %s", request, source)
	}
	return found[0], nil
}

// EvidenceFor names the evidence of an inspection that is still on the disk.
func (s *Store) EvidenceFor(ctx context.Context, id string) ([]inspector.Blob, error) {
	r, err := s.Inspection(ctx, id)
	if err != nil || r.Expired {
		return nil, err
	}
	return r.Evidence, nil
}

const selectRecords = `SELECT row, record, bytes, quarantined, closed, disposition, acknowledged FROM inspections`

func record(rows *sql.Rows) (r Record, err error) {
	var data, disposition, acknowledged []byte
	var bytes int64
	if err := rows.Scan(&r.Row, &data, &bytes, &r.Quarantined, &r.Closed, &disposition, &acknowledged); err != nil {
		return r, err
	}
	if data == nil {
		return r, ErrInFlight
	}
	if disposition != nil {
		err = json.Unmarshal(disposition, &r.Disposition)
	}
	if acknowledged != nil {
		err = errors.Join(err, json.Unmarshal(acknowledged, &r.Acknowledged))
	}
	err = errors.Join(err, json.Unmarshal(data, &r.Inspection))
	r.Expired = bytes == 0 && size(r.Evidence) > 0
	return r, err
}

// A Ledger accounts for every trigger there ever was: Triggers is always the
// sum of the others.
type Ledger struct {
	Triggers int64 `json:"triggers"`
	Pass     int64 `json:"pass"`
	Fail     int64 `json:"fail"`
	Unsure   int64 `json:"unsure"`
	InFlight int64 `json:"inFlight"`
}

// Ledger gives the account at one moment.
func (s *Store) Ledger(ctx context.Context) (l Ledger, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT triggers,
			(SELECT coalesce(sum(n), 0) FROM tally WHERE verdict = 'pass'),
			(SELECT coalesce(sum(n), 0) FROM tally WHERE verdict = 'fail'),
			(SELECT coalesce(sum(n), 0) FROM tally WHERE verdict = 'unsure'),
			(SELECT count(*) FROM inspections WHERE verdict IS NULL)
		FROM store`).Scan(&l.Triggers, &l.Pass, &l.Fail, &l.Unsure, &l.InFlight)
	return l, wrap(err, "read the ledger")
}

// A Count is how many boards of a recipe got a verdict.
type Count struct {
	Recipe  string            `json:"recipe"`
	Verdict inspector.Verdict `json:"verdict"`
	N       int64             `json:"n"`
}

// Counts gives the verdicts by recipe, in the order of their names.
func (s *Store) Counts(ctx context.Context) ([]Count, error) {
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (c Count, err error) {
		return c, rows.Scan(&c.Recipe, (*string)(&c.Verdict), &c.N)
	}, `SELECT recipe, verdict, n FROM tally ORDER BY recipe, verdict`)
	return all, wrap(err, "count verdicts")
}

// A Queue is the open work of one lane.
type Queue struct {
	Lane   string        `json:"lane"`
	Depth  int64         `json:"depth"`     // parked ones included
	Parked int64         `json:"parked"`    // of them wait for a person
	Oldest time.Duration `json:"oldest_ns"` // age at now of what waits longest
}

// selectQueues counts in the indexes alone.
const selectQueues = `SELECT lane, sum(depth), sum(parked), min(oldest) FROM (
		SELECT lane, count(*) AS depth, 0 AS parked, min(since) AS oldest FROM work INDEXED BY work_now WHERE parked = '' AND due <= since GROUP BY lane
		UNION ALL
		SELECT lane, count(*), 0, min(since) FROM work INDEXED BY work_later WHERE parked = '' AND due > since GROUP BY lane
		UNION ALL
		SELECT lane, count(*), count(*), min(since) FROM work INDEXED BY work_parked WHERE parked <> '' GROUP BY lane
	) GROUP BY lane ORDER BY lane`

// Queues gives the lanes that have open work, by name.
func (s *Store) Queues(ctx context.Context, now time.Time) ([]Queue, error) {
	s.show(ctx)
	all, err := query(ctx, s.readers, queue(now), selectQueues)
	return all, wrap(err, "list queues")
}

// queue scans the columns of selectQueues.
func queue(now time.Time) func(*sql.Rows) (Queue, error) {
	return func(rows *sql.Rows) (q Queue, err error) {
		var since int64
		err = rows.Scan(&q.Lane, &q.Depth, &q.Parked, &since)
		q.Oldest = max(0, now.Sub(instant(since)))
		return q, err
	}
}

func limit(n int) int {
	if n <= 0 {
		return 100
	}
	return n
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query gives what scan makes of every row; never nil without an error.
func query[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	return collect(rows, err, scan)
}

// collect scans and closes the rows of a query that may have failed.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	all := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, v)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}
