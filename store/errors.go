package store

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"inspector/workflow"
)

// A refusal is an error that no retry will change.
type refusal string

func (r refusal) Error() string { return string(r) }

// Permanent tells whoever retries not to.
func (r refusal) Permanent() bool { return true }

// What the store refuses; all are permanent but ErrFull and ErrInFlight.
var (
	// ErrNotFound is given for what nobody stored.
	ErrNotFound = workflow.ErrNotFound
	// ErrJudged: a board has exactly one verdict.
	ErrJudged error = refusal("it has its verdict, or its ID was never given out")
	// ErrDecided: a board has at most one disposition.
	ErrDecided error = refusal("a person has decided already")
	// ErrPassed is given to whoever acknowledges a board that is as it should be.
	ErrPassed error = refusal("it passed: there is nothing to acknowledge")
	// ErrInFlight is given for an inspection whose verdict is not there yet.
	ErrInFlight = errors.New("in flight: no verdict yet")
	// ErrFull is given when the disk is full. Nothing acknowledged is lost,
	// and the same call succeeds once there is room.
	ErrFull = errors.New("the disk is full: free some space, give the data directory a larger disk, or shorten the retention")

	errClosed error = refusal("the store is closed")
)

// full makes a full disk known as ErrFull, whoever met it.
func full(err error) error {
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	var s sqlite3.Error
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.As(err, &s) && (s.Code == sqlite3.ErrFull || s.SystemErrno == syscall.ENOSPC || s.SystemErrno == syscall.EDQUOT) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}
