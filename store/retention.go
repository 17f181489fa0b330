package store

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// Retention says how long evidence stays. The ledger, the records and the
// audit trail stay for ever; executions, as Prune says.
type Retention struct {
	Passes  time.Duration // evidence of boards that passed; 0 keeps it
	Others  time.Duration // evidence of boards about which a person decided; 0 keeps it
	MinFree int64         // bytes: while less is free, the oldest goes, whatever its age
}

// Swept is what a sweep removed.
type Swept struct {
	Inspections int
	Bytes       int64
}

// sweepPage is how many inspections share one commit of a sweep.
const sweepPage = 256

// Sweep removes evidence, quarantined copies included, of inspections that
// are closed, whose execution has ended and about which nothing is left to
// decide: what is older at now than keep allows, then, while less than
// MinFree is free, passes before others, the lowest row first. It never takes
// anything else, even if the disk is full.
func (s *Store) Sweep(ctx context.Context, now time.Time, keep Retention) (total Swept, err error) {
	for _, rule := range []struct {
		passes bool
		wanted func(Record) (bool, error)
	}{
		{true, func(r Record) (bool, error) { return older(r, now, keep.Passes), nil }},
		{false, func(r Record) (bool, error) { return older(r, now, keep.Others), nil }},
		{true, func(Record) (bool, error) { return s.scarce(keep.MinFree) }},
		{false, func(Record) (bool, error) { return s.scarce(keep.MinFree) }},
	} {
		swept, err := s.sweep(ctx, rule.passes, rule.wanted)
		total.Inspections += swept.Inspections
		total.Bytes += swept.Bytes
		if err != nil {
			return total, wrap(err, "sweep the evidence")
		}
	}
	return total, nil
}

// older reports whether the record is older than keep. A picture of before
// there was this program was taken by a clock that nobody had set: its age is
// not known.
func older(r Record, now time.Time, keep time.Duration) bool {
	return keep > 0 && r.At.Year() >= 2026 && now.Sub(r.At) > keep
}

func (s *Store) scarce(least int64) (bool, error) {
	free, _, err := s.Free()
	return free < least, err
}

// sweep goes once over all that may be taken and takes what is wanted. Files
// go first: a crash in between repeats them, and leaves none that nobody knows.
func (s *Store) sweep(ctx context.Context, passes bool, wanted func(Record) (bool, error)) (swept Swept, err error) {
	for after := int64(0); ; {
		page, err := query(ctx, s.readers, record, selectRecords+` INDEXED BY inspections_evidence
			WHERE bytes > 0 AND closed = 1 AND row > ? AND (verdict = 'pass') = ? AND (verdict = 'pass' OR disposition IS NOT NULL)
			AND NOT EXISTS (SELECT 1 FROM executions WHERE id = ? || row AND status = 'RUNNING') ORDER BY row LIMIT ?`,
			after, passes, s.device+"-"+s.epoch+"-", sweepPage)
		if err != nil || len(page) == 0 {
			return swept, err
		}
		after = page[len(page)-1].Row
		var taken []Record
		for _, r := range page {
			yes, err := wanted(r)
			if err != nil {
				return swept, err
			}
			if !yes {
				continue
			}
			if err := s.expire(r); err != nil {
				return swept, err
			}
			taken = append(taken, r)
			swept.Inspections++
			swept.Bytes += size(r.Evidence)
		}
		if err := s.expired(ctx, taken); err != nil {
			return swept, err
		}
	}
}

// expire removes the files of one inspection.
func (s *Store) expire(r Record) error {
	err := s.blobs.discard(r.Evidence)
	if image, ok := imageOf(r); ok {
		err = errors.Join(err, s.blobs.remove(quarantined(r, image)))
	}
	return err
}

// expired records that the files are gone, and removes folders left empty
// that no inspection will write to any more.
func (s *Store) expired(ctx context.Context, taken []Record) error {
	if len(taken) == 0 {
		return nil
	}
	err := s.write(ctx, func(ctx context.Context, w *writer) error {
		for _, r := range taken {
			if _, err := w.exec(ctx, `UPDATE inspections SET bytes = 0 WHERE row = ?`, r.Row); err != nil {
				return err
			}
		}
		return nil
	})
	settled := shard(s.reconciled() * shardSize)
	for _, r := range taken {
		if folder := shard(r.Row); folder < settled {
			if gone := s.blobs.remove("evidence/" + folder); !errors.Is(gone, syscall.ENOTEMPTY) {
				err = errors.Join(err, gone)
			}
		}
	}
	return err
}
