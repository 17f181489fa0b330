package evaluate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Format is how a data set is laid out.
type Format string

// The formats. docs/evaluation.md shows the folders of each.
const (
	DeepPCB Format = "deeppcb" // ID_test, ID_temp, and lines of x1 y1 x2 y2 class
	COCO    Format = "coco"    // one JSON of images, annotations and categories
	YOLO    Format = "yolo"    // images/, labels/ and data.yaml
	Folders Format = "folders" // a folder of pictures for each label
)

// Options say how to read a data set.
type Options struct {
	Format Format // empty: found out
	Split  string // train, val, test or what the data set calls it; empty: the first there is of test, val, train
	// Golden says where a picture's golden board is, relative to the data set:
	// one picture for all; a folder, for the same name there; or a path in which
	// {name} stands for the picture's name up to its last underscore, {stem} for
	// all of it without its extension and {file} for all of it. Empty: what the
	// format says.
	Golden string
	Good   string            // the label of folders that is no defect; empty: good
	Rename map[string]string // classes of the data set to those of the model
}

// Open reads the data set in a folder, or that a file (COCO's JSON, YOLO's
// data.yaml, a list of DeepPCB) describes. Pictures are not opened, but every
// file that is named is there. A fault is a *DataError.
func Open(path string, o Options) (Dataset, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Dataset{}, fmt.Errorf("data set: there is no folder or file %s; name where the boards are", path)
	} else if err != nil {
		return Dataset{}, fmt.Errorf("data set: %w", err)
	}
	if o.Format == "" {
		if o.Format, err = detect(path, info.IsDir()); err != nil {
			return Dataset{}, err
		}
	}
	readers := map[Format]func(string, Options) (Dataset, error){DeepPCB: readDeepPCB, COCO: readCOCO, YOLO: readYOLO, Folders: readFolders}
	read := readers[o.Format]
	if read == nil {
		return Dataset{}, fmt.Errorf("data set: format %q is unknown; want deeppcb, coco, yolo or folders", o.Format)
	}
	d, err := read(path, o)
	if err != nil {
		return Dataset{}, err
	}
	if len(d.Samples) == 0 {
		return Dataset{}, &DataError{path, 0, fmt.Sprintf("no board in it, read as %s: name the folder that holds the pictures", o.Format)}
	}
	d.Format = o.Format
	d.rename(o.Rename)
	slices.SortStableFunc(d.Samples, func(a, b Sample) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(d.Samples); i++ {
		if d.Samples[i].Name == d.Samples[i-1].Name {
			return Dataset{}, &DataError{d.Samples[i].Picture, 0, "this board is in the data set twice: keep one, or rename it"}
		}
	}
	return d, nil
}

func (d *Dataset) rename(to map[string]string) {
	name := func(class string) string {
		if other, ok := to[class]; ok {
			return other
		}
		return class
	}
	var classes []string
	for _, c := range d.Classes {
		if c = name(c); !slices.Contains(classes, c) {
			classes = append(classes, c)
		}
	}
	d.Classes = classes
	for i := range d.Samples {
		for k := range d.Samples[i].defects {
			d.Samples[i].defects[k].Class = name(d.Samples[i].defects[k].Class)
		}
	}
}

// detect finds out the format by what only that format has.
func detect(path string, isDir bool) (Format, error) {
	if !isDir {
		switch strings.ToLower(filepath.Ext(path)) {
		case ".json":
			return COCO, nil
		case ".yaml", ".yml":
			return YOLO, nil
		case ".txt":
			return DeepPCB, nil
		}
		return "", &DataError{path, 0, "it is no data set: want a folder, COCO's .json, YOLO's data.yaml or a list of DeepPCB (.txt)"}
	}
	switch {
	case exists(filepath.Join(path, "data.yaml")):
		return YOLO, nil
	case cocoFile(path, "") != "":
		return COCO, nil
	case hasPairs(path):
		return DeepPCB, nil
	case exists(filepath.Join(path, "images")) && exists(filepath.Join(path, "labels")):
		return YOLO, nil
	}
	if _, labels, err := labelFolders(path, ""); err == nil && len(labels) > 0 {
		return Folders, nil
	}
	return "", &DataError{path, 0, "it is no data set: want pairs ID_test.png and ID_temp.png (deeppcb), annotations.json (coco), data.yaml (yolo), or a folder of pictures for each label (folders)"}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// splits are the names by which a split is looked for, the preferred first.
func splits(wanted string) []string {
	if wanted != "" {
		return []string{wanted}
	}
	return []string{"test", "val", "valid", "train", "trainval"}
}

// readText gives a whole file of annotations, of at most limit bytes.
func readText(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &DataError{name, 0, "the file is not there: copy it, or correct what names it"}
	case err != nil:
		return nil, fmt.Errorf("data set: %w", err)
	case !info.Mode().IsRegular():
		return nil, &DataError{name, 0, "it is no file: correct what names it"}
	case info.Size() > limit:
		return nil, &DataError{name, 0, fmt.Sprintf("it has %d bytes; annotations have at most %d: is it the right file?", info.Size(), limit)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("data set: %w", err)
	}
	return data, nil
}

// pictureExtensions are those that cameras and annotators write.
var pictureExtensions = []string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

func isPicture(name string) bool {
	return slices.Contains(pictureExtensions, strings.ToLower(filepath.Ext(name)))
}

// pictures gives the picture files below dir, in order.
func pictures(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && isPicture(path) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("data set: %w", err)
	}
	return out, nil
}

// nameOf is the name of a sample: its picture's path below root, without its
// extension.
func nameOf(root, picture string) string {
	if below, err := filepath.Rel(root, picture); err == nil {
		picture = below
	}
	return filepath.ToSlash(strings.TrimSuffix(picture, filepath.Ext(picture)))
}

// goldenOf finds the golden board of a picture by the rule of Options.Golden,
// relative to root. Without a rule there is none.
func goldenOf(root, rule, picture string) (string, error) {
	if rule == "" {
		return "", nil
	}
	file := filepath.Base(picture)
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	name := stem
	if i := strings.LastIndexByte(stem, '_'); i > 0 {
		name = stem[:i]
	}
	path := strings.NewReplacer("{name}", name, "{stem}", stem, "{file}", file).Replace(rule)
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		for _, ext := range append([]string{filepath.Ext(file)}, pictureExtensions...) {
			if in := filepath.Join(path, stem+ext); exists(in) {
				return in, nil
			}
		}
		path = filepath.Join(path, file)
	}
	if !exists(path) {
		return "", &DataError{picture, 0, fmt.Sprintf("its golden board %s is not there: copy it, or say where golden boards are", path)}
	}
	return path, nil
}
