package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// folder reads the stills of a folder in the order of their names. Files whose
// names begin with a dot, do not end like a picture's or do not match are not
// stills; a still that cannot be read is delivered as such.
type folder struct {
	dir, match string
	maxPixels  int
	pool       pool
	file       bytes.Buffer
	seen       map[string]stamp // by watch: stills delivered or there before it began
	kept       int              // how many of them were in the folder when last listed
}

// A stamp tells whether a file was written since.
type stamp struct {
	size int64
	at   time.Time
}

func (f *folder) wanted(name string) bool {
	match, _ := path.Match(f.match, name) // the pattern was checked
	return match && !strings.HasPrefix(name, ".") && slices.Contains(
		[]string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}, strings.ToLower(filepath.Ext(name)))
}

// list returns the names of the stills, sorted.
func (f *folder) list() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list stills: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && f.wanted(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f *folder) once(ctx context.Context, out sink) error {
	names, err := f.list()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("list stills in %s: none is named %s and ends in .png, .jpg, .jpeg, .bmp, .tif, .tiff or .webp", f.dir, f.match)
	}
	for _, name := range names {
		if err := out.deliver(ctx, f.read(name)); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) loop(ctx context.Context, out sink) error {
	for {
		if err := f.once(ctx, out); err != nil {
			return err
		}
	}
}

// read returns the still in the file name, or why it cannot be read.
func (f *folder) read(name string) still {
	s := still{name: name}
	if s.err = f.load(filepath.Join(f.dir, name)); s.err != nil {
		return s
	}
	pixels, lease, err := f.pool.decode(f.file.Bytes(), f.maxPixels)
	if err != nil {
		s.err = err
		return s
	}
	s.pixels, s.release = pixels, lease.release
	return s
}

// load reads a whole file into f.file.
func (f *folder) load(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // a named pipe would hang
		return errors.New("it is not a file")
	}
	r, err := os.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	limit := 8*int64(f.maxPixels) + 1<<20 // four channels of 16 bits, uncompressed
	f.file.Reset()
	if _, err := f.file.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return err
	}
	if int64(f.file.Len()) > limit {
		return fmt.Errorf("the file has more than %d bytes, so its picture has more than the %d pixels allowed", limit, f.maxPixels)
	}
	return nil
}
