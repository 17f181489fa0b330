package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"inspector/upstream"
	"inspector/workflow/local"
)

// faulted is what a file says that can say what is wrong with it.
type faulted interface {
	Faults(report func(key, problem string))
}

// readConnections gives the connections of HTTP tasks, by name.
func readConnections(dir string) (map[string]upstream.Connection, error) {
	return readTaskFiles(dir, "connections", func() upstream.Connection { return upstream.Connection{} })
}

// readCommands gives the programs that tasks may run, by name.
func readCommands(dir string) (map[string]local.Spec, error) {
	return readTaskFiles(dir, "commands", local.Default)
}

// readTaskFiles reads every NAME.yaml of a folder, or says every fault of all.
// No folder is no file.
func readTaskFiles[T faulted](dir, key string, usual func() T) (map[string]T, error) {
	out := map[string]T{}
	if dir == "" {
		return out, nil
	}
	files, err := yamlFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	var errs []error
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !recipeName.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: want 1 to 64 letters, digits, dots, - or _ as its name", file))
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
			continue
		}
		v := usual()
		from, faults := decodeYAML(file, text, &v, "inspector.example.yaml lists all")
		if errs = append(errs, faults...); len(faults) == 0 {
			v.Faults(func(key, problem string) { errs = append(errs, from.fault(key, errors.New(problem))) })
		}
		out[name] = v
	}
	return out, errors.Join(errs...)
}
