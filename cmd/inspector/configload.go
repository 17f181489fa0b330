package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"inspector"
)

// loadConfig gives the configuration, or every fault of it at once, each with
// file and line where it has one.
func loadConfig(file string, env func(string) string) (Config, error) {
	c := defaults()
	lines := map[string]int{}
	var errs []error
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("configuration %s does not exist; copy inspector.example.yaml there, or leave --config out for the defaults", file)
		} else if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		errs = append(errs, decodeConfig(&c, file, text, lines)...)
	}
	for _, f := range append(fromEnvironment(reflect.ValueOf(&c).Elem(), "", env), c.faults()...) {
		where := ""
		if n := lines[f.key]; n > 0 {
			where = fmt.Sprintf("%s:%d: ", file, n)
		} else if file != "" {
			where = file + ": "
		}
		errs = append(errs, fmt.Errorf("%s%s: %s", where, f.key, f.msg))
	}
	return c, errors.Join(errs...)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

func decodeConfig(c *Config, file string, text []byte, lines map[string]int) (errs []error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return []error{located(file, err.Error())}
	}
	if len(root.Content) > 0 {
		keyLines(root.Content[0], "", lines)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(c)
	var several *yaml.TypeError
	switch {
	case err == nil || errors.Is(err, io.EOF): // an empty file is all defaults
	case errors.As(err, &several):
		for _, e := range several.Errors {
			errs = append(errs, located(file, e))
		}
	default:
		errs = append(errs, located(file, err.Error()))
	}
	return errs
}

// located turns yaml's "line 3: …" into "file:3: …", in words of configuration.
func located(file, msg string) error {
	msg = regexp.MustCompile(`field (\S+) not found in type main\.\w*Config`).ReplaceAllString(msg, `unknown key "$1"; inspector.example.yaml lists all`)
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	return fmt.Errorf("%s: %s", file, strings.TrimPrefix(msg, "yaml: "))
}

func keyLines(n *yaml.Node, path string, lines map[string]int) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
		lines[key] = n.Content[i].Line
		keyLines(n.Content[i+1], key, lines)
	}
}

// fromEnvironment sets every leaf of v that the environment names.
func fromEnvironment(v reflect.Value, path string, env func(string) string) (f faults) {
	for i := range v.NumField() {
		key := strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
		if leaf := v.Field(i); leaf.Kind() == reflect.Struct {
			f = append(f, fromEnvironment(leaf, key, env)...)
		} else if s := env(environmentName(key)); s != "" {
			if leaf.Kind() == reflect.String {
				leaf.SetString(s)
			} else if err := yaml.Unmarshal([]byte(s), leaf.Addr().Interface()); err != nil {
				f.want(false, key, "environment %s: %q is not a %s", environmentName(key), s, leaf.Type())
			}
		}
	}
	return f
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
