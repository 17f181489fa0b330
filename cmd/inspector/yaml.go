package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An origin is the file that settings came from, and the line of each key:
// camera.period. The zero value is no file.
type origin struct {
	file  string
	lines map[string]int
}

// where says where the key is, or the nearest above it: "file:3: ".
func (o origin) where(key string) string {
	if o.file == "" {
		return ""
	}
	for ; key != ""; key = key[:max(strings.LastIndexByte(key, '.'), 0)] {
		if n := o.lines[key]; n > 0 {
			return fmt.Sprintf("%s:%d: ", o.file, n)
		}
	}
	return o.file + ": "
}

// fault is an error about the key.
func (o origin) fault(key string, err error) error {
	return fmt.Errorf("%s%s: %w", o.where(key), key, err)
}

// decodeYAML reads text into v, which keeps what the text does not say. A key
// that v does not have is a fault; known says where its keys are listed.
func decodeYAML(file string, text []byte, v any, known string) (o origin, errs []error) {
	o = origin{file, map[string]int{}}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) == nil && len(root.Content) > 0 {
		keyLines(root.Content[0], "", o.lines)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(v)
	var several *yaml.TypeError
	switch {
	case err == nil || errors.Is(err, io.EOF): // an empty file says nothing
	case errors.As(err, &several):
		for _, e := range several.Errors {
			errs = append(errs, o.located(e, known))
		}
	default:
		errs = append(errs, o.located(err.Error(), known))
	}
	return o, errs
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

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	yamlUnknown = regexp.MustCompile(`^field (\S+) not found in type \S+$`)
	yamlType    = regexp.MustCompile("(?s)^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (\\S+)$")
)

// located turns yaml's "line 3: …" into "file:3: key: …", in words of settings.
func (o origin) located(msg, known string) error {
	m := yamlLine.FindStringSubmatch(msg)
	if m == nil {
		return fmt.Errorf("%s: %s", o.file, strings.TrimPrefix(msg, "yaml: "))
	}
	line, _ := strconv.Atoi(m[1])
	what, key := m[2], o.at(line)
	if u := yamlUnknown.FindStringSubmatch(what); u != nil {
		return fmt.Errorf("%s:%d: unknown key %q; %s", o.file, line, u[1], known)
	}
	if t := yamlType.FindStringSubmatch(what); t != nil {
		have := map[string]string{"map": "a group of keys", "seq": "a list"}[t[1]]
		if have == "" {
			have = strconv.Quote(t[2])
		}
		what = fmt.Sprintf("%s is not %s", have, kind(t[3]))
	}
	if key != "" {
		what = key + ": " + what
	}
	return fmt.Errorf("%s:%d: %s", o.file, line, what)
}

// at is the key that stands on the line; of several, what they have in common.
func (o origin) at(line int) (key string) {
	first := true
	for k, n := range o.lines {
		switch {
		case n != line:
		case first:
			key, first = k, false
		default:
			key = common(key, k)
		}
	}
	return key
}

// common is the path that both keys begin with.
func common(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return strings.Join(x[:n], ".")
}

// kind says in words what a value of the Go type is.
func kind(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration such as 500ms or 2s"
	case goType == "main.size":
		return "a size such as 256MiB or 2GB"
	case goType == "bool":
		return "true or false"
	case goType == "string", goType == "code.Format", goType == "classify.Tone", goType == "inspector.Secret":
		return "a text"
	case strings.HasPrefix(goType, "uint"):
		return "a whole number, 0 or more"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list such as [a, b]"
	}
	return "a group of keys" // a struct or a map
}

// yamlFiles gives the .yaml files of a folder, by name. A .yml file, which
// nobody would read, is a fault.
func yamlFiles(dir string) ([]string, error) {
	other, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		return nil, err
	}
	if len(other) > 0 {
		return nil, fmt.Errorf("%s: only files named .yaml are read; rename it", other[0])
	}
	return filepath.Glob(filepath.Join(dir, "*.yaml"))
}
