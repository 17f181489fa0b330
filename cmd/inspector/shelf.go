package main

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"inspector/models"
)

// A shelf is the models of a folder, and beside them those of the program whose
// names the folder does not have.
type shelf struct{ own, builtIn fs.FS }

// shelved gives the models that a recipe may name; without a folder, those of
// the program.
func shelved(folder string) fs.FS {
	if folder == "" {
		return models.FS
	}
	return shelf{os.DirFS(folder), models.FS}
}

// Open implements fs.FS. A model is of the folder as a whole, or of the program.
func (s shelf) Open(name string) (fs.File, error) {
	return s.of(name).Open(name)
}

// ReadDir implements fs.ReadDirFS: the models of both.
func (s shelf) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return fs.ReadDir(s.of(name), name)
	}
	all, err := fs.ReadDir(s.own, ".")
	if err != nil {
		return nil, err
	}
	others, err := fs.ReadDir(s.builtIn, ".")
	for _, e := range others {
		if !slices.ContainsFunc(all, func(own fs.DirEntry) bool { return own.Name() == e.Name() }) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, err
}

func (s shelf) of(name string) fs.FS {
	model, _, _ := strings.Cut(name, "/")
	if s.has(model) {
		return s.own
	}
	if _, err := fs.Stat(s.builtIn, model); err == nil {
		return s.builtIn
	}
	return s.own // whose error names the folder
}

// has reports whether the folder has something of that name.
func (s shelf) has(model string) bool {
	_, err := fs.Stat(s.own, model)
	return err == nil
}

// carried reports whether the model is one of the program's. Of an empty folder
// nobody knows what it should have: perhaps its disk is not there.
func carried(folder, model string) bool {
	s, both := shelved(folder).(shelf)
	if !both {
		return true
	}
	all, err := fs.ReadDir(s.own, ".")
	return err == nil && len(all) > 0 && !s.has(model)
}
