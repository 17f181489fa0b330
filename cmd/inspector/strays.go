package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"inspector/workflow/asl"
)

// strays are words about variables of the environment that look as if they
// set a key of the configuration, but set none. Those that begin with the
// name of a section do, and those that are nearly a key.
func strays(environ []string) (words []string) {
	var keys, sections []string
	c := reflect.TypeFor[Config]()
	for i := range c.NumField() {
		if f := c.Field(i); f.Type.Kind() == reflect.Struct {
			sections = append(sections, environmentName(f.Tag.Get("yaml"))+"_")
		}
	}
	for key := range leaves(reflect.ValueOf(Config{}), "") {
		keys = append(keys, environmentName(key))
	}
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, environmentName("")) || slices.Contains(keys, name) {
			continue
		}
		near, edits := nearest(name, keys)
		if edits <= 2 || slices.ContainsFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) }) {
			words = append(words, fmt.Sprintf("environment: %s sets nothing; is %s meant?", name, near))
		}
	}
	return words
}

// nearest is the one of names that the fewest edits make of name.
func nearest(name string, names []string) (best string, edits int) {
	edits = len(name) + 1
	for _, n := range names {
		if d := asl.Distance(name, n); d < edits {
			best, edits = n, d
		}
	}
	return best, edits
}
