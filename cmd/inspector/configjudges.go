package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
)

// checkJudges reports what is wrong with recipes and models, also of a
// configuration that has faults: in place of a value that is one of them the
// default stands, so that they hide nothing that does not follow from them.
func checkJudges(ctx context.Context, c Config) error {
	wrong := c.faulty()
	if slices.Contains(wrong, "recipes") || slices.Contains(wrong, "model.folder") || slices.Contains(wrong, "data") {
		return nil // which recipes and models there are is not known
	}
	whole := defaults()
	for key, leaf := range leaves(reflect.ValueOf(&c).Elem(), "") {
		if slices.Contains(wrong, key) {
			for usual, value := range leaves(reflect.ValueOf(&whole).Elem(), "") {
				if usual == key {
					leaf.Set(value)
				}
			}
		}
	}
	j, err := openJudges(ctx, c, nil)
	if err != nil {
		return err
	}
	return errors.Join(j.check(""), j.Close())
}

// faulty gives the keys of the values that are faults.
func (c Config) faulty() (keys []string) {
	for _, f := range c.faults() {
		keys = append(keys, f.key)
	}
	return keys
}
