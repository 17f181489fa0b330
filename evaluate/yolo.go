package evaluate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"inspector"
)

// readYOLO reads data.yaml (classes, and where each split's images are) with a
// text of the same name in labels for each picture in images. A picture
// without one is a good board. Golden boards are in goldens, under the same name.
func readYOLO(path string, o Options) (d Dataset, err error) {
	file, root := path, filepath.Dir(path)
	if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
		file, root = filepath.Join(path, "data.yaml"), path
	}
	data, err := readText(file, maxAnnotation)
	if err != nil {
		return d, err
	}
	c, err := parseYOLO(file, data)
	if err != nil {
		return d, err
	}
	d.Classes = c.classes
	dirs, err := c.images(file, root, o.Split)
	if err != nil {
		return d, err
	}
	rule := o.Golden
	for _, folder := range []string{"goldens", "golden"} {
		if rule == "" && exists(filepath.Join(root, folder)) {
			rule = folder
		}
	}
	for _, dir := range dirs {
		files, err := pictures(dir)
		if err != nil {
			return d, err
		}
		for _, picture := range files {
			s := Sample{Name: nameOf(root, picture), Picture: picture, fractions: true}
			if s.defects, err = readLabels(labelsOf(picture), d.Classes); err != nil {
				return d, err
			}
			if s.Golden, err = goldenOf(root, rule, picture); err != nil {
				return d, err
			}
			d.Samples = append(d.Samples, s)
		}
	}
	return d, nil
}

// labelsOf is the text beside a picture: the last images of its path becomes
// labels, and its extension txt.
func labelsOf(picture string) string {
	parts := strings.Split(filepath.ToSlash(picture), "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if parts[i] == "images" {
			parts[i] = "labels"
			break
		}
	}
	text := filepath.FromSlash(strings.Join(parts, "/"))
	return strings.TrimSuffix(text, filepath.Ext(text)) + ".txt"
}

// readLabels gives no defects for no file.
func readLabels(file string, classes []string) ([]inspector.Defect, error) {
	if !exists(file) {
		return nil, nil
	}
	data, err := readText(file, maxAnnotation)
	if err != nil {
		return nil, err
	}
	return parseLabels(file, data, classes)
}

// parseLabels reads lines of class, middle x, middle y, width and height, in
// widths and heights of the picture; or of class and the corners of an outline.
func parseLabels(name string, data []byte, classes []string) (out []inspector.Defect, err error) {
	for i, line := range bytes.Split(data, []byte("\n")) {
		f := strings.Fields(string(line))
		if len(f) == 0 {
			continue
		}
		box, err := parseLabel(f[1:])
		class, wrong := strconv.Atoi(f[0])
		if wrong != nil || class < 0 || class >= len(classes) {
			err = fmt.Errorf("class %.20q; data.yaml has 0 to %d", f[0], len(classes)-1)
		}
		if err != nil {
			return nil, &DataError{name, i + 1, fmt.Sprintf("%.80q: %v; want CLASS X Y WIDTH HEIGHT, or CLASS and the corners of an outline, each from 0 to 1", line, err)}
		}
		out = append(out, inspector.Defect{Class: classes[class], Score: 1, Box: box})
	}
	return out, nil
}

func parseLabel(f []string) (b inspector.Box, err error) {
	v := make([]float64, len(f))
	for i := range f {
		if v[i], err = strconv.ParseFloat(f[i], 64); err != nil || !(v[i] >= -0.01 && v[i] <= 1.01) { // annotators round
			return b, fmt.Errorf("%.20q is not from 0 to 1", f[i])
		}
	}
	var left, top, right, bottom float64
	switch {
	case len(v) == 4:
		left, top, right, bottom = v[0]-v[2]/2, v[1]-v[3]/2, v[0]+v[2]/2, v[1]+v[3]/2
	case len(v) >= 6 && len(v)%2 == 0:
		left, top, right, bottom = 2, 2, -1, -1
		for i := 0; i < len(v); i += 2 {
			left, top, right, bottom = min(left, v[i]), min(top, v[i+1]), max(right, v[i]), max(bottom, v[i+1])
		}
	default:
		return b, fmt.Errorf("%d numbers after the class", len(v))
	}
	b = inspector.Box{Left: float32(left), Top: float32(top), Right: float32(right), Bottom: float32(bottom)}
	if empty(b) {
		return b, errors.New("the box is empty")
	}
	return b, nil
}

// yolo is data.yaml.
type yolo struct {
	Path  string    `yaml:"path"`
	Names yaml.Node `yaml:"names"` // a list, or a map from number to name
	Train yaml.Node `yaml:"train"` // a path or a list of paths
	Val   yaml.Node `yaml:"val"`
	Test  yaml.Node `yaml:"test"`

	classes []string
}

func parseYOLO(name string, data []byte) (c yolo, err error) {
	last := 1 + bytes.Count(data, []byte("\n")) // YAML counts from 0 at the end of a file, and every return
	fault := func(line int, format string, args ...any) error {
		return &DataError{name, min(line, last), fmt.Sprintf(format, args...) + ": want names: [CLASS, ...] and train, val or test: FOLDER"}
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		line := 0
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if _, wrong := fmt.Sscanf(text, "line %d:", &line); wrong == nil {
			_, text, _ = strings.Cut(text, ": ")
		}
		return c, fault(line, "%s", text)
	}
	switch c.Names.Kind {
	case yaml.SequenceNode:
		err = c.Names.Decode(&c.classes)
	case yaml.MappingNode:
		numbered := map[int]string{}
		if err = c.Names.Decode(&numbered); err == nil {
			c.classes = make([]string, len(numbered))
			for i := range c.classes {
				c.classes[i] = numbered[i]
			}
		}
	}
	if err != nil {
		return c, fault(c.Names.Line, "names: %v", err)
	}
	if len(c.classes) == 0 || slices.Contains(c.classes, "") {
		return c, fault(c.Names.Line, "names has no class, or one without a name")
	}
	return c, nil
}

// images gives the folders of a split, as data.yaml says or else by convention.
func (c yolo) images(file, root, split string) ([]string, error) {
	named := map[string]yaml.Node{"test": c.Test, "val": c.Val, "valid": c.Val, "train": c.Train}
	for _, s := range splits(split) {
		node := named[s]
		var folders []string
		switch node.Kind {
		case yaml.ScalarNode:
			if node.Value != "" {
				folders = []string{node.Value}
			}
		case yaml.SequenceNode:
			if err := node.Decode(&folders); err != nil {
				return nil, &DataError{file, node.Line, s + " is no list of folders: name them"}
			}
		}
		var found []string
		for _, folder := range folders {
			candidates := []string{filepath.Join(root, c.Path, folder), filepath.Join(root, folder), filepath.Join(root, strings.TrimPrefix(folder, "../"))}
			if filepath.IsAbs(folder) {
				candidates = []string{folder}
			} else if filepath.IsAbs(c.Path) {
				candidates = append(candidates, filepath.Join(c.Path, folder))
			}
			dir := firstOf(candidates...)
			if dir == "" {
				return nil, &DataError{file, node.Line, fmt.Sprintf("%s: there is no folder %s: correct it", s, folder)}
			}
			found = append(found, dir)
		}
		if len(found) > 0 {
			return found, nil
		}
		if dir := firstOf(filepath.Join(root, "images", s), filepath.Join(root, s, "images")); dir != "" {
			return []string{dir}, nil
		}
	}
	if dir := firstOf(filepath.Join(root, "images")); dir != "" && split == "" {
		return []string{dir}, nil
	}
	return nil, &DataError{file, 0, fmt.Sprintf("no folder of images for split %q: name one that data.yaml has, or put the pictures in images", split)}
}

// firstOf is the first path that is there; empty: none.
func firstOf(paths ...string) string {
	for _, p := range paths {
		if exists(p) {
			return p
		}
	}
	return ""
}
