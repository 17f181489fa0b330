package model

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

var (
	yamlUnknown = regexp.MustCompile(`^field (\S+) not found in type (\S+)$`)
	yamlType    = regexp.MustCompile("(?s)^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (\\S+)$")
)

const unknownKey = "unknown key "

// unknown is 1 for a key that a manifest does not have.
func (f Fault) unknown() int {
	if strings.HasPrefix(f.Text, unknownKey) {
		return 1
	}
	return 0
}

// inWords says what the YAML library says, without names of Go types.
func inWords(text string) string {
	if m := yamlUnknown.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s%q%s", unknownKey, m[1], meant(m[1], m[2]))
	}
	if m := yamlType.FindStringSubmatch(text); m != nil {
		have := map[string]string{"map": "a group of keys", "seq": "a list"}[m[1]]
		if have == "" {
			have = fmt.Sprintf("%q", m[2])
		}
		return have + " is not " + kind(m[3])
	}
	return text
}

func kind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case goType == "uint8":
		return "a whole number from 0 to 255"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case goType == "string", goType == "model.Task":
		return "a text"
	}
	return "a group of keys"
}

// meant names the key of the group that is most like the unknown one.
func meant(key, group string) string {
	best, least := "", 3 // letters
	for _, k := range keysOf(reflect.TypeFor[Manifest](), group) {
		if n := distance(key, k); n < least {
			best, least = k, n
		}
	}
	if best == "" {
		return "; models/README.md has every key"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// keysOf gives the keys of the named type, which t is or holds.
func keysOf(t reflect.Type, name string) (keys []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if t.String() == name {
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			keys = append(keys, key)
		} else {
			keys = append(keys, keysOf(f.Type, name)...)
		}
	}
	return keys
}

// distance is how many letters of a must be put in, taken out or changed to
// give b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		last := slices.Clone(row)
		row[0] = i + 1
		for k := range len(b) {
			changed := last[k]
			if a[i] != b[k] {
				changed++
			}
			row[k+1] = min(changed, last[k+1]+1, row[k]+1)
		}
	}
	return row[len(b)]
}
