package model

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A FaultsError is every fault of one file, in the order of its lines.
type FaultsError struct {
	File   string
	Faults []Fault
}

// A Fault is one thing that is wrong, at a line counted from 1.
type Fault struct {
	Line int
	Text string
}

func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s:%d: %s", e.File, f.Line, f.Text)
	}
	return strings.Join(lines, "\n")
}

// Permanent tells whoever retries not to: a person must correct the file.
func (e *FaultsError) Permanent() bool { return true }

func (e *FaultsError) add(line int, text string) {
	e.Faults = append(e.Faults, Fault{line, text})
}

var yamlLine = regexp.MustCompile(`^line (\d+): (?s)(.*)$`)

// lineOf splits what the YAML library says into line and text.
func lineOf(text string) (int, string) {
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n, m[2]
	}
	return 1, text
}

// lineAt finds the line of a path such as inputs.0.mean, or of the last part
// of it that exists.
func lineAt(n *yaml.Node, path string) int {
	line := n.Line
	for part := range strings.SplitSeq(path, ".") {
		var next *yaml.Node
		switch i, err := strconv.Atoi(part); {
		case n.Kind == yaml.SequenceNode && err == nil && i < len(n.Content):
			next = n.Content[i]
			line = next.Line
		case n.Kind == yaml.MappingNode:
			for k := 0; k+1 < len(n.Content); k += 2 {
				if n.Content[k].Value == part {
					line, next = n.Content[k].Line, n.Content[k+1]
				}
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}
