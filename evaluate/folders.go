package evaluate

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"inspector"
)

// readFolders reads pictures that lie in a folder of their label, as
// DIR/LABEL/*.png or DIR/SPLIT/LABEL/*.png.
func readFolders(dir string, o Options) (d Dataset, err error) {
	root, labels, err := labelFolders(dir, o.Split)
	if err != nil {
		return d, err
	}
	d.Labels = true
	good := cmp.Or(o.Good, "good")
	for _, label := range labels {
		files, err := pictures(filepath.Join(root, label))
		if err != nil {
			return d, err
		}
		if label != good {
			d.Classes = append(d.Classes, label)
		}
		for _, file := range files {
			s := Sample{Name: nameOf(root, file), Picture: file, Label: label, fractions: true}
			if s.Golden, err = goldenOf(dir, o.Golden, file); err != nil {
				return d, err
			}
			if label != good {
				s.defects = []inspector.Defect{{Class: label, Score: 1, Box: inspector.Box{Right: 1, Bottom: 1}}}
			}
			d.Samples = append(d.Samples, s)
		}
	}
	return d, nil
}

// labelFolders finds the folders of pictures: those of a split, or of dir.
func labelFolders(dir, split string) (root string, labels []string, err error) {
	root = dir
	for _, s := range splits(split) {
		if info, err := os.Stat(filepath.Join(dir, s)); err == nil && info.IsDir() && len(subfolders(filepath.Join(dir, s))) > 0 {
			root = filepath.Join(dir, s)
			break
		}
	}
	if root == dir && split != "" {
		return root, nil, &DataError{dir, 0, fmt.Sprintf("there is no folder %s with a folder for each label: name a split that is there", split)}
	}
	return root, subfolders(root), nil
}

// subfolders gives the names of the folders in dir that hold pictures, in order.
func subfolders(dir string) (out []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		inside, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err == nil && slices.ContainsFunc(inside, func(f os.DirEntry) bool { return !f.IsDir() && isPicture(f.Name()) }) {
			out = append(out, e.Name())
		}
	}
	return out
}
