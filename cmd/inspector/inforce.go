package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"inspector/model"
)

// A recipeChange is one entry of the audit of recipes: who put another in force.
type recipeChange struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

// A recipeLog knows which recipe judges the boards that ask for none: what is in
// force and who made it so are one file and cannot disagree. The zero value is
// that nobody has chosen. All methods may be called from any goroutine.
type recipeLog struct {
	file string // holds the changes; empty: nobody may change anything

	mu      sync.Mutex
	changes []recipeChange
}

// read takes up what was chosen before; the file need not exist yet.
func (f *recipeLog) read(dir string) error {
	f.file = filepath.Join(dir, "recipes.json")
	data, err := os.ReadFile(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.changes, err = parseRecipeChanges(data)
	}
	if err != nil {
		return fmt.Errorf("recipe in force: %s: %w; put a copy of it back, or remove it and choose again with inspector recipe use", f.file, err)
	}
	return nil
}

type recipesFile struct {
	Changes []recipeChange `json:"changes"`
}

func parseRecipeChanges(data []byte) ([]recipeChange, error) {
	var f recipesFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	for i, c := range f.Changes {
		if !recipeName.MatchString(c.To) {
			return nil, fmt.Errorf("change %d: %q is no recipe's name", i+1, c.To)
		}
	}
	return f.Changes, nil
}

// last gives the choice that stands; not ok: nobody has chosen.
func (f *recipeLog) last() (c recipeChange, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.changes); n > 0 {
		return f.changes[n-1], true
	}
	return c, false
}

// all gives the audit, oldest first.
func (f *recipeLog) all() []recipeChange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// add makes the change and its entry in the audit durable together; after an
// error all is as it was, or the change is whole.
func (f *recipeLog) add(c recipeChange) error {
	if f.file == "" {
		return errors.New("recipe in force: there is no data directory to keep the change in")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next := append(slices.Clone(f.changes), c)
	data, err := json.MarshalIndent(recipesFile{next}, "", " ")
	if err == nil {
		err = model.Put(f.file, data)
	}
	if err != nil {
		return fmt.Errorf("recipe in force: nothing was changed: %w", err)
	}
	f.changes = next
	return nil
}

// use puts a recipe in force: c says which, who wants it and why. From the next
// board on it judges those that ask for none, and after every restart.
func (j *judges) use(c recipeChange) (recipeChange, error) {
	j.changing.Lock()
	defer j.changing.Unlock()
	if err := j.check(c.To); err != nil {
		return c, err
	}
	c.From, c.At = j.name(""), time.Now()
	if c.From == c.To {
		return c, &changeError{fmt.Errorf("recipe %s is in force already", c.To)}
	}
	return c, j.force.add(c)
}

// chosen says which recipe is in force and who made it so.
func (j *judges) chosen() string {
	c, ok := j.force.last()
	if !ok {
		return j.recipe + ", by the configuration"
	}
	words := fmt.Sprintf("%s, by %s on %s", c.To, c.By, c.At.Format(time.DateTime))
	if c.Reason != "" {
		words += ": " + c.Reason
	}
	return words
}
