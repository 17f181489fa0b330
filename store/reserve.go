package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// reserveFile holds room that is given free when the disk is full.
const reserveFile = "reserve"

// Reserve makes the reserve file hold so many bytes of the disk, really
// allocated, and gives what it holds then; 0 removes it. A reserve that cannot
// be made whole is not made at all.
func (s *Store) Reserve(size int64) (held int64, err error) {
	if size <= 0 {
		return 0, s.ReleaseReserve()
	}
	s.reserving.Lock()
	defer s.reserving.Unlock()
	if s.reserved() == size {
		return size, nil
	}
	if err := allocate(s.blobs.root, size); err != nil {
		return 0, errors.Join(fmt.Errorf("reserve %d bytes: %w", size, full(err)), s.blobs.remove(reserveFile))
	}
	return size, nil
}

// ReleaseReserve gives the reserve free; again is harmless.
func (s *Store) ReleaseReserve() error {
	s.reserving.Lock()
	defer s.reserving.Unlock()
	return wrap(s.blobs.remove(reserveFile), "give the reserve free")
}

// Reserved is how many bytes the reserve holds now.
func (s *Store) Reserved() int64 {
	s.reserving.Lock()
	defer s.reserving.Unlock()
	return s.reserved()
}

func (s *Store) reserved() int64 {
	info, err := fs.Stat(s.blobs.root.FS(), reserveFile)
	if err != nil {
		return 0
	}
	return info.Size()
}

// allocate makes the reserve file anew, with blocks of its own on the disk: a
// hole would hold nothing.
func allocate(root *os.Root, size int64) error {
	f, err := root.OpenFile(reserveFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		err = writeOut(f, size)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// writeOut is for file systems that allocate only what is written.
func writeOut(f *os.File, size int64) error {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i*7 + i>>8) // nothing that a file system would leave out
	}
	for ; size > 0; size -= int64(len(block)) {
		if _, err := f.Write(block[:min(size, int64(len(block)))]); err != nil {
			return err
		}
	}
	return nil
}

// spareAtStart gives the reserve free if the disk has so little room that the
// database might not open.
func (s *Store) spareAtStart() error {
	free, _, err := s.Free()
	if held := s.Reserved(); err != nil || held == 0 || free >= held/2 {
		return err
	}
	return s.ReleaseReserve()
}

// Checkpoint copies the log of the database into it and empties the log: what
// that takes of the disk it gives back, and more. It waits for the commit that
// is under way; readers may keep it from doing all.
func (s *Store) Checkpoint(ctx context.Context) error {
	select {
	case s.lead <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.lead }()
	s.mu.Lock()
	shut := s.shut
	s.mu.Unlock()
	if shut {
		return errClosed
	}
	return wrap(full(s.writer.run(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)), "checkpoint the database")
}
