package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"inspector"
)

// aside is the folder of files about inspections that nothing depends on: the
// newest stay, and evidence goes before.
const aside = "aside"

var asideForm = regexp.MustCompile(`^[a-z]{1,32}$`)

// PutAside keeps files about the inspection, by their extensions, beside the
// evidence, and drops those of the oldest inspections beyond limit. It keeps
// nothing and gives ErrFull if less than spare bytes are free.
func (s *Store) PutAside(inspection string, limit int, spare int64, files map[string][]byte) error {
	id, err := ParseID(inspection)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return refusal("keep aside: there is nothing to keep")
	}
	if free, _, err := s.Free(); err != nil || free < spare {
		return cmp.Or(err, ErrFull)
	}
	var all []content
	for ext, data := range files {
		if !asideForm.MatchString(ext) {
			return refusal(fmt.Sprintf("keep aside %q: want small letters", ext))
		}
		all = append(all, content{path.Join(aside, id.String()+"."+ext), data})
	}
	if err := s.blobs.put(all...); err != nil {
		return fmt.Errorf("keep aside: %w", full(err))
	}
	return s.PruneAsides(limit)
}

// PruneAsides removes what is beyond the newest limit inspections.
func (s *Store) PruneAsides(limit int) error {
	kept, err := s.Asides()
	if err != nil || len(kept) <= limit {
		return err
	}
	keep := kept[:limit]
	entries, err := s.blobs.list(aside)
	if err != nil {
		return err
	}
	var gone []string
	for _, e := range entries {
		if id, _, _ := strings.Cut(e.Name(), "."); !slices.Contains(keep, id) {
			gone = append(gone, path.Join(aside, e.Name()))
		}
	}
	return s.blobs.remove(gone...)
}

// Asides lists the inspections that files are kept about, newest first.
func (s *Store) Asides() ([]string, error) {
	entries, err := s.blobs.list(aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var ids []inspector.ID
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if id, err := ParseID(name); err == nil && !strings.Contains(e.Name(), ".part-") {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b inspector.ID) int {
		return cmp.Or(cmp.Compare(b.Row, a.Row), cmp.Compare(a.String(), b.String()))
	})
	var out []string
	for _, id := range slices.Compact(ids) {
		out = append(out, id.String())
	}
	return out, nil
}

// Aside gives one of the files; ErrNotFound if it is not there any more.
func (s *Store) Aside(inspection, ext string) ([]byte, error) {
	if _, err := ParseID(inspection); err != nil || !asideForm.MatchString(ext) {
		return nil, ErrNotFound
	}
	data, err := fs.ReadFile(s.blobs.root.FS(), path.Join(aside, inspection+"."+ext))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return data, err
}
