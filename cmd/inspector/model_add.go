package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"inspector/model"
)

// An addition is a model that is put into a folder of models.
type addition struct {
	file, folder, size    string
	name, version         string
	labels, good, licence string
}

// modelAddCommand makes a package of an ONNX file. Exit code 0: made, 1: there
// is one already or none can be guessed, 2: a flag or the file is wrong.
func modelAddCommand(args []string, env func(string) string, stdout, stderr io.Writer) error {
	var a addition
	f := flag.NewFlagSet("model add", flag.ContinueOnError)
	f.StringVar(&a.name, "name", "", "`name` of the model: lower-case letters, digits, - and _")
	f.StringVar(&a.version, "version", "1.0.0", "`MAJOR.MINOR.PATCH`; a version is never changed")
	f.StringVar(&a.folder, "folder", cmp.Or(env("INSPECTOR_MODEL_FOLDER"), "models-own"), "`folder` of models")
	f.StringVar(&a.labels, "labels", "", "`names` of the classes, in the order of training, with commas between")
	f.StringVar(&a.good, "good", "", "`label` that is no defect")
	f.StringVar(&a.licence, "licence", "", "SPDX `expression` of the model's licence, such as Apache-2.0")
	f.StringVar(&a.size, "size", "", "`WxH` of the model's picture, if the graph takes any")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector model add FILE.onnx --name NAME [flags]\nPuts a model into FOLDER/NAME/VERSION with a first model.yaml, guessed from the graph, and says what to check in it.\nExit code 0: done, 1: refused, and nothing was changed, 2: error.")
		f.PrintDefaults()
	}
	var err error
	if a.file, err = fileAndFlags(f, args, stderr); err != nil {
		return err
	}
	if a.name == "" {
		return exit{2, errors.New("model add: give it a name with --name NAME")}
	}
	s, err := look(a.file, a.size)
	if err != nil {
		return exit{2, err}
	}
	draft, err := a.draft(s)
	if err != nil {
		return err
	}
	dir := filepath.Join(a.folder, a.name, a.version)
	if err := put(dir, map[string][]byte{draft.File: s.onnx, "model.yaml": draft.Text()}); err != nil {
		return err
	}
	return a.report(stdout, s, draft, dir)
}

func (a addition) draft(s *sight) (model.Draft, error) {
	var labels []string
	for l := range strings.SplitSeq(a.labels, ",") {
		if l = strings.TrimSpace(l); l != "" {
			labels = append(labels, l)
		}
	}
	d, err := model.Guess(s.graph, labels, a.good)
	if err != nil {
		return d, err
	}
	d.Name, d.Version, d.File, d.SHA256, d.Licence = a.name, a.version, "model.onnx", s.SHA256, a.licence
	if d.Licence == "" {
		d.Licence, d.Check["licence"] = "LicenseRef-unknown", "the licence of the model, as an SPDX expression"
	}
	_, err = model.ParseManifest("model.yaml", d.Text())
	return d, err
}

// put makes a folder of files, whole or not at all, where none was.
func put(dir string, files map[string][]byte) (err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("model add: %s is there already and is not changed: choose another --name or --version", dir)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("model add: %w", err)
	}
	draft, err := os.MkdirTemp(parent, ".adding-*")
	if err != nil {
		return fmt.Errorf("model add: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("model add: %w", err), os.RemoveAll(draft))
		}
	}()
	if err := os.Chmod(draft, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := writeSynced(filepath.Join(draft, name), data); err != nil {
			return err
		}
	}
	if _, err := model.Load(os.DirFS(draft), "."); err != nil {
		return err
	}
	return os.Rename(draft, dir)
}

func writeSynced(name string, data []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// report says what was made, what to check in it, and what comes next.
func (a addition) report(w io.Writer, s *sight, d model.Draft, dir string) error {
	fmt.Fprintf(w, "%s: %s of %d labels, input %s\n", dir, d.Task, len(d.Labels), d.Inputs[0])
	for _, r := range s.Runtimes {
		if r.Runs {
			fmt.Fprintf(w, "runs on %s\n", r.Name)
		} else {
			fmt.Fprintf(w, "does not run on %s: %s\n", r.Name, r.Reason)
		}
	}
	fmt.Fprintf(w, "\nThese lines of %s are guesses:\n", filepath.Join(dir, "model.yaml"))
	for i, line := range bytes.Split(d.Text(), []byte("\n")) {
		if bytes.Contains(line, []byte("# CHECK:")) {
			fmt.Fprintf(w, "%4d: %s\n", i+1, bytes.TrimSpace(line))
		}
	}
	_, err := fmt.Fprintf(w, "\nThen:\n  INSPECTOR_MODEL_FOLDER=%s INSPECTOR_MODEL_NAME=%s inspector inspect BOARD.png\n", a.folder, a.name)
	if !slices.ContainsFunc(s.Runtimes, func(r sightRuntime) bool { return r.Runs }) {
		return errors.Join(err, errors.New("no runtime here can execute this model"))
	}
	return err
}
