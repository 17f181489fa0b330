package model

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// Put makes the file hold data, or leaves it as it was: written beside it,
// synced, renamed, and the folder synced.
func Put(file string, data []byte) (err error) {
	dir, part := filepath.Dir(file), file+".part-"+rand.Text()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if left, _ := filepath.Glob(file + ".part-*"); len(left) > 0 { // by a power cut
		for _, l := range left {
			_ = os.Remove(l) // another time, then
		}
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part) // it is absent once it was renamed
		}
	}()
	for _, do := range []func() error{
		func() error { return write(part, data) },
		func() error { return os.Rename(part, file) },
		func() error { return syncFolder(dir) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
