package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"inspector"
)

// shardSize is how many inspections share one folder of evidence. Folders go
// by row, not by date: the clock may say 1970.
const shardSize = 1000

// Evidence are bytes to keep with an inspection.
type Evidence struct {
	Kind string // small letters: image, overlay; once per inspection
	Type string // media type: image/jpeg, image/png, or anything else
	Data []byte
}

// blobs are the files below the data directory. Names are slash-separated,
// and no name leads outside, whatever it is.
type blobs struct {
	root     *os.Root
	evidence *os.Root
	mu       sync.Mutex
	made     map[string]bool // folders that are durably there
}

func openBlobs(dir string) (*blobs, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &blobs{root: root, made: map[string]bool{".": true}}
	if err := errors.Join(b.mkdir("evidence"), b.mkdir("quarantine")); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if b.evidence, err = root.OpenRoot("evidence"); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return b, nil
}

func (b *blobs) close() error { return errors.Join(b.evidence.Close(), b.root.Close()) }

// A content is what a file shall hold.
type content struct {
	name string
	data []byte
}

// put makes files of one folder hold their contents. Once it has returned nil,
// a power cut cannot take the bytes back; after an error each file is as it
// was or as it shall be. No other function writes blobs.
func (b *blobs) put(files ...content) (err error) {
	folder, suffix := path.Dir(files[0].name), ".part-"+rand.Text()
	if err := b.mkdir(folder); err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			if err != nil {
				err = errors.Join(err, b.remove(f.name+suffix))
			}
		}
	}()
	// Side by side: their syncs share one commit of the file system.
	var writing errgroup.Group
	for _, f := range files {
		writing.Go(func() error { return b.create(f.name+suffix, f.data) })
	}
	if err := writing.Wait(); err != nil {
		return err
	}
	for _, f := range files {
		if err := b.root.Rename(f.name+suffix, f.name); err != nil {
			return err
		}
	}
	return b.sync(folder) // the renames themselves must reach the disk
}

// create writes a new file, durably but for its name.
func (b *blobs) create(name string, data []byte) error {
	f, err := b.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// mkdir makes a folder, whose parent is there, durably.
func (b *blobs) mkdir(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made[name] {
		return nil
	}
	if err := b.root.Mkdir(name, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := b.sync(path.Dir(name)); err != nil {
		return err
	}
	b.made[name] = true
	return nil
}

func (b *blobs) sync(folder string) error {
	f, err := b.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove deletes the files; those that are not there already are fine.
func (b *blobs) remove(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := b.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *blobs) list(folder string) ([]fs.DirEntry, error) {
	return fs.ReadDir(b.root.FS(), folder)
}

// write puts the evidence of one inspection and tells what it put.
func (b *blobs) write(id inspector.ID, evidence []Evidence) ([]inspector.Blob, error) {
	if len(evidence) == 0 {
		return []inspector.Blob{}, nil
	}
	var written []inspector.Blob
	var files []content
	for _, e := range evidence {
		blob, err := describe(id, e)
		if slices.ContainsFunc(written, func(b inspector.Blob) bool { return b.Kind == e.Kind }) {
			err = refusal("given twice")
		}
		if err != nil {
			return nil, fmt.Errorf("keep %s: %w", e.Kind, err)
		}
		written, files = append(written, blob), append(files, content{file(blob), e.Data})
	}
	if err := b.put(files...); err != nil {
		return nil, errors.Join(fmt.Errorf("keep evidence: %w", err), b.discard(written))
	}
	return written, nil
}

func (b *blobs) discard(written []inspector.Blob) error {
	names := make([]string, len(written))
	for i, blob := range written {
		names[i] = file(blob)
	}
	return b.remove(names...)
}

// file is the name of a blob's file below the data directory.
func file(blob inspector.Blob) string { return "evidence/" + blob.Path }

var kindForm = regexp.MustCompile(`^[a-z]{1,32}$`)

// describe names the evidence and sums it up.
func describe(id inspector.ID, e Evidence) (inspector.Blob, error) {
	if !kindForm.MatchString(e.Kind) {
		return inspector.Blob{}, refusal(fmt.Sprintf("kind of evidence %q: want small letters", e.Kind))
	}
	sum := sha256.Sum256(e.Data)
	return inspector.Blob{
		Kind:   e.Kind,
		Path:   fmt.Sprintf("%s/%s.%s.%s", shard(id.Row), id, e.Kind, extension(e.Type)),
		Type:   e.Type,
		Size:   int64(len(e.Data)),
		SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

// shard is the folder of a row's evidence; names sort as rows do.
func shard(row int64) string { return fmt.Sprintf("%016d", row/shardSize) }

func extension(mediaType string) string {
	switch kind, _, _ := strings.Cut(mediaType, ";"); kind {
	case "image/jpeg":
		return "jpg"
	case "image/png":
		return "png"
	case "application/json":
		return "json"
	}
	return "bin"
}

// OpenEvidence opens the file of a Blob by its Path; the caller closes it. No
// path leads outside the evidence folder. It gives fs.ErrNotExist for what
// retention took.
func (s *Store) OpenEvidence(path string) (*os.File, error) {
	return s.blobs.evidence.Open(path)
}

// Free tells how many bytes this process may still write, and how many the
// disk of the data directory has.
func (s *Store) Free() (free, total int64, err error) {
	return FreeAt(s.blobs.root.Name())
}

// FreeAt is Free of the disk that holds dir.
func FreeAt(dir string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}
