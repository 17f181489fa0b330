package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"inspector"
)

// errNoConfig says that there is no configuration to find faults in.
var errNoConfig = errors.New("configuration")

// loadConfig gives the configuration, or every fault of it at once, each with
// file and line where it has one.
func loadConfig(file string, env func(string) string) (Config, error) {
	c := defaults()
	var from origin
	var errs []error
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("%w %s does not exist; copy inspector.example.yaml there, or leave --config out for the defaults", errNoConfig, file)
		} else if err != nil {
			return c, fmt.Errorf("%w: %w", errNoConfig, err)
		}
		from, errs = decodeYAML(file, text, &c, "inspector.example.yaml lists all")
	}
	for _, f := range append(fromEnvironment(reflect.ValueOf(&c).Elem(), env), c.faults()...) {
		errs = append(errs, from.fault(f.key, errors.New(f.msg)))
	}
	_, _, err := c.readRules()
	return c, errors.Join(append(errs, err)...)
}

// fromEnvironment sets every leaf of v that the environment names.
func fromEnvironment(v reflect.Value, env func(string) string) (f faults) {
	for key, leaf := range leaves(v, "") {
		s := env(environmentName(key))
		if s == "" {
			continue
		}
		if leaf.Kind() == reflect.String {
			leaf.SetString(s)
		} else if err := yaml.Unmarshal([]byte(s), leaf.Addr().Interface()); err != nil {
			f.want(false, key, "environment %s: %q is not %s", environmentName(key), s, kind(leaf.Type().String()))
		}
	}
	return f
}

// leaves yields the key of every leaf of a part of the configuration, and the
// leaf. The part is at path; empty is the whole.
func leaves(v reflect.Value, path string) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for i := range v.NumField() {
			key := strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
			within := leaves(v.Field(i), key)
			if v.Field(i).Kind() != reflect.Struct {
				within = func(yield func(string, reflect.Value) bool) { yield(key, v.Field(i)) }
			}
			for k, leaf := range within {
				if !yield(k, leaf) {
					return
				}
			}
		}
	}
}

func environmentName(key string) string {
	return "INSPECTOR_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// readSecret gives the first line of the file, or nothing for no file.
func readSecret(file string) (inspector.Secret, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("secret file %s is empty; write the secret on its first line", file)
	}
	return inspector.Secret(line), nil
}
