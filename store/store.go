// Package store is the one owner of the disk: the ledger of triggers and
// inspections, the journal of the executions, the evidence files, and the
// audit trail. What a method has acknowledged, a power cut cannot take back.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"inspector"
)

// Store is one data directory, opened. All methods may be called from any
// goroutine at the same time. It starts no goroutine of its own.
type Store struct {
	device, epoch  string
	opened, latest time.Time // latest is when the newest open work was asked for, at the opening

	lock    *os.File
	blobs   *blobs
	readers *sql.DB
	writer  *writer              // only by whoever holds lead
	due     map[search]*sql.Stmt // the engine asks often: prepared once
	nextDue *sql.Stmt
	events  *sql.Stmt

	reserving sync.Mutex // held while the reserve changes

	holding sync.Mutex // held while holds are counted
	holds   atomic.Int64

	lead  chan struct{} // holding its one place is leading the commit
	mu    sync.Mutex    // guards what follows
	queue []*request
	shut  bool
	next  int64          // the row that the next inspection gets
	open  map[int64]bool // rows given out without a verdict; true while Accept works on it
}

var deviceName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// Open opens the data directory dir of the device, and creates it if it is
// not there. It brings an older schema forward, refuses a newer one, refuses
// a directory that another process has open or that belongs to another
// device, and removes files that belong to nothing committed. The caller
// closes the store.
func Open(ctx context.Context, dir, device string) (_ *Store, err error) {
	if !deviceName.MatchString(device) {
		return nil, fmt.Errorf("open store %s: device %q: want 1 to 64 letters, digits and '_'", dir, device)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open store: %w: name a directory that this user may write", err)
	}
	s := &Store{device: device, lead: make(chan struct{}, 1), open: map[int64]bool{}}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", dir, full(errors.Join(err, s.release())))
		}
	}()
	if s.lock, err = flock(dir); err != nil {
		return nil, err
	}
	if s.blobs, err = openBlobs(dir); err != nil {
		return nil, err
	}
	if err := s.spareAtStart(); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, filepath.Join(dir, "inspector.db")); err != nil {
		return nil, err
	}
	if err := s.recover(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// flock takes the directory for this process until the file is closed.
func flock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another appliance uses this directory (%w): stop it, or give this one a directory of its own (data)", err), f.Close())
	}
	return f, nil
}

// Held reports whether a process has the data directory open. It takes the
// lock for a moment, so ask only where no appliance is about to start.
func Held(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	defer f.Close() // frees it
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// connect opens the database, the writer first: it makes the file.
func (s *Store) connect(ctx context.Context, path string) (err error) {
	dsn := func(options string) string {
		return (&url.URL{Scheme: "file", Path: path, RawQuery: options}).String()
	}
	durable := dsn("_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=on")
	if err := migrate(ctx, durable); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.writer, err = openWriter(durable); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.readers, err = sql.Open("sqlite3", dsn("mode=ro&_busy_timeout=5000&_query_only=on")); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(8)
	s.readers.SetMaxIdleConns(8)
	s.due = map[search]*sql.Stmt{}
	for _, kind := range []search{{}, {newest: true}, {holds: true}, {holds: true, newest: true}} {
		if s.due[kind], err = s.readers.PrepareContext(ctx, kind.query()); err != nil {
			return err
		}
	}
	if s.events, err = s.readers.PrepareContext(ctx, selectEvents); err != nil {
		return err
	}
	if s.nextDue, err = s.readers.PrepareContext(ctx, selectNext); err != nil {
		return err
	}
	return s.countHolds(ctx)
}

// recover finds out whose store this is and where its last life ended.
func (s *Store) recover(ctx context.Context) error {
	if err := s.identify(ctx); err != nil {
		return err
	}
	if err := s.readers.QueryRowContext(ctx, `SELECT coalesce(max(row), 0) + 1 FROM inspections`).Scan(&s.next); err != nil {
		return err
	}
	if err := s.relive(ctx); err != nil {
		return err
	}
	if err := s.findLatest(ctx); err != nil {
		return err
	}
	inFlight, err := s.InFlight(ctx)
	if err != nil {
		return err
	}
	for _, f := range inFlight {
		s.open[f.ID.Row] = false
	}
	return s.reconcile(ctx)
}

// findLatest sets the clock below which the store's does not go.
func (s *Store) findLatest(ctx context.Context) error {
	latest := nanos(time.Time{})
	for _, p := range s.writer.live.open {
		latest = max(latest, p.Since)
	}
	for _, status := range statuses {
		var at sql.NullInt64
		if err := s.readers.QueryRowContext(ctx, `SELECT max(started) FROM executions WHERE status = ?`, string(status)).Scan(&at); err != nil {
			return err
		}
		if at.Valid {
			latest = max(latest, at.Int64)
		}
	}
	var since int64
	if err := s.readers.QueryRowContext(ctx, `SELECT coalesce(max(since), ?) FROM work`, latest).Scan(&since); err != nil {
		return err
	}
	s.opened, s.latest = time.Now(), instant(max(latest, since))
	return nil
}

// identify reads the device and epoch, or draws the epoch in a new store.
func (s *Store) identify(ctx context.Context) error {
	var draw [4]byte
	if _, err := rand.Read(draw[:]); err != nil {
		return fmt.Errorf("draw the epoch: %w", err)
	}
	if _, err := s.writer.exec(ctx, `INSERT INTO store (one, device, epoch) VALUES (1, ?, ?) ON CONFLICT DO NOTHING`,
		s.device, hex.EncodeToString(draw[:])); err != nil {
		return err
	}
	var device string
	if err := s.readers.QueryRowContext(ctx, `SELECT device, epoch FROM store`).Scan(&device, &s.epoch); err != nil {
		return err
	}
	if device != s.device {
		return fmt.Errorf("it belongs to device %q, not %q: set station.device back, or name an empty data directory", device, s.device)
	}
	return nil
}

// Close waits for the commit that is under way and gives the directory free.
// Calls that come later, or were not yet in a commit, fail.
func (s *Store) Close() error {
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	s.lead <- struct{}{}
	s.fail(s.take(math.MaxInt), errClosed)
	<-s.lead
	return s.release()
}

// release closes whatever Open had opened; the lock goes last.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func (s *Store) id(row int64) inspector.ID {
	return inspector.ID{Device: s.device, Epoch: s.epoch, Row: row}
}

// row is the number in an ID of this store.
func (s *Store) row(id string) (int64, error) {
	parsed, err := ParseID(id)
	if err != nil {
		return 0, err
	}
	if parsed != s.id(parsed.Row) {
		return 0, fmt.Errorf("inspection %s: %w in the store of %s-%s", id, ErrNotFound, s.device, s.epoch)
	}
	return parsed.Row, nil
}

var idForm = regexp.MustCompile(`^([A-Za-z0-9_]{1,64})-([0-9a-f]{8})-([1-9][0-9]{0,18})$`)

// ParseID reads the form that inspector.ID.String gives, and nothing else.
func ParseID(text string) (inspector.ID, error) {
	m := idForm.FindStringSubmatch(text)
	if m == nil {
		return inspector.ID{}, fmt.Errorf("%.100q is not an inspection's ID: want DEVICE-EPOCH-ROW", text)
	}
	row, err := strconv.ParseInt(m[3], 10, 64)
	if err != nil {
		return inspector.ID{}, fmt.Errorf("%.100q is not an inspection's ID: its row does not exist", text)
	}
	return inspector.ID{Device: m[1], Epoch: m[2], Row: row}, nil
}
