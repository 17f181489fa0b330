package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
)

// A sight is what an ONNX file says about its network.
type sight struct {
	File       string         `json:"file"`
	Size       int            `json:"size"` // bytes
	SHA256     string         `json:"sha256"`
	Producer   string         `json:"producer,omitempty"`
	Opset      int64          `json:"opset"`
	Inputs     []sightValue   `json:"inputs"`
	Outputs    []sightValue   `json:"outputs"`
	Operators  map[string]int `json:"operators"`
	Parameters int64          `json:"parameters"`
	MACs       int64          `json:"macs"`  // of one picture of Shape
	FLOPs      int64          `json:"flops"` // two of each
	Shape      []int64        `json:"shape,omitempty"`
	Unknown    []string       `json:"unknown,omitempty"` // operators whose work is not in it
	Task       model.Task     `json:"task,omitempty"`    // as 'model add' would guess
	Doubt      string         `json:"doubt,omitempty"`   // why it would guess none
	Runtimes   []sightRuntime `json:"runtimes"`

	onnx  []byte
	graph model.Graph
}

type sightValue struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Shape []int64 `json:"shape"` // -1: open
}

type sightRuntime struct {
	Name   string   `json:"name"`
	Runs   bool     `json:"runs"`
	Lacks  []string `json:"lacks,omitempty"` // operators that it cannot execute
	Reason string   `json:"reason,omitempty"`
}

// modelInspectCommand says what is in an ONNX file. Exit code 0: a runtime can
// execute it, 1: none can, 2: the file cannot be read.
func modelInspectCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("model inspect", flag.ContinueOnError)
	asJSON := f.Bool("json", false, "one JSON object")
	size := f.String("size", "", "`WxH` of a picture, if the graph takes any")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector model inspect [flags] FILE.onnx\nSays what is in an ONNX file and which runtimes can execute it. Exit code 0: some can, 1: none can, 2: error.")
		f.PrintDefaults()
	}
	file, err := fileAndFlags(f, args, stderr)
	if err != nil {
		return err
	}
	s, err := look(file, *size)
	if err != nil {
		return exit{2, err}
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	} else {
		err = s.print(stdout)
	}
	if err != nil {
		return exit{2, err}
	}
	if !slices.ContainsFunc(s.Runtimes, func(r sightRuntime) bool { return r.Runs }) {
		return exit{code: 1}
	}
	return nil
}

// fileAndFlags reads the flags before and after the one file of a command.
func fileAndFlags(f *flag.FlagSet, args []string, stderr io.Writer) (file string, err error) {
	files, err := flagsAround(f, args, stderr)
	switch {
	case err != nil:
		return "", err
	case len(files) == 0:
		return "", exit{2, fmt.Errorf("%s: name an ONNX file", f.Name())}
	case len(files) > 1:
		return "", exit{2, fmt.Errorf("%s: one file at a time, not %q too", f.Name(), files[1])}
	}
	return files[0], nil
}

// flagsAround reads flags wherever they stand, and gives what is none.
func flagsAround(f *flag.FlagSet, args []string, stderr io.Writer) (names []string, err error) {
	for {
		if err := parse(f, args, stderr); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			return names, nil
		}
		names, args = append(names, f.Arg(0)), f.Args()[1:]
	}
}

// look reads an ONNX file and finds out what it can. Size is WxH or empty.
func look(file, size string) (*sight, error) {
	if info, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", file)
	} else if err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name the ONNX file in it", file)
	}
	onnx, err := model.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	g, err := model.ReadGraph(onnx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := settle(&g, size); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(onnx)
	s := &sight{File: file, Size: len(onnx), SHA256: hex.EncodeToString(sum[:]), Producer: g.Producer, Opset: g.Opset, Operators: map[string]int{}, onnx: onnx, graph: g}
	for _, v := range g.Inputs {
		s.Inputs = append(s.Inputs, sightValue{v.Name, v.Type.String(), v.Shape})
	}
	for _, v := range g.Outputs {
		s.Outputs = append(s.Outputs, sightValue{v.Name, v.Type.String(), v.Shape})
	}
	for _, n := range g.Nodes {
		s.Operators[strings.TrimPrefix(n.Domain+":"+n.Op, ":")]++
	}
	shapes := map[string][]int64{}
	for _, v := range g.Inputs {
		shapes[v.Name] = closed(v.Shape)
	}
	if d, err := model.Guess(g, nil, ""); err != nil {
		s.Doubt = err.Error()
	} else {
		s.Task, shapes[d.Inputs[0].Name] = d.Task, d.Inputs[0].Shape()
	}
	_, cost := g.Infer(shapes)
	s.Parameters, s.MACs, s.FLOPs, s.Unknown = cost.Parameters, cost.MACs, 2*cost.MACs, cost.Unknown
	if len(g.Inputs) > 0 {
		s.Shape = shapes[g.Inputs[0].Name]
	}
	s.Runtimes = runtimesOf(g, onnx, shapes)
	return s, nil
}

// settle gives a picture of any size the given one.
func settle(g *model.Graph, size string) error {
	if size == "" {
		return nil
	}
	var w, h int64
	if n, err := fmt.Sscanf(size+"\n", "%dx%d\n", &w, &h); n != 2 || err != nil || w < 1 || h < 1 {
		return fmt.Errorf("--size is %q; want WIDTHxHEIGHT in pixels, such as 640x480", size)
	}
	g.Inputs = slices.Clone(g.Inputs)
	for i, v := range g.Inputs {
		v.Shape = slices.Clone(v.Shape)
		given := []int64{h, w}
		for k := 1; k < len(v.Shape) && len(given) > 0; k++ {
			if v.Shape[k] < 0 {
				v.Shape[k], given = given[0], given[1:]
			}
		}
		g.Inputs[i] = v
	}
	return nil
}

// closed is a shape with 1 for every open size.
func closed(shape []int64) []int64 {
	out := append([]int64{}, shape...)
	for i, d := range out {
		out[i] = max(d, 1)
	}
	return out
}

// runtimesOf asks every runtime whether it can execute a network.
func runtimesOf(g model.Graph, onnx []byte, shapes map[string][]int64) []sightRuntime {
	g.Inputs = slices.Clone(g.Inputs)
	for i, v := range g.Inputs {
		g.Inputs[i].Shape = shapes[v.Name]
	}
	library, err := onnxruntime.Find()
	if err == nil {
		err = onnxruntime.Check(library, g, onnx)
	}
	return []sightRuntime{sightOf(onnxruntime.Name, err), sightOf(onnxgo.Name, onnxgo.Check(g))}
}

// sightOf says what a runtime said about a network.
func sightOf(name string, err error) sightRuntime {
	r := sightRuntime{Name: name, Runs: err == nil}
	if err == nil {
		return r
	}
	all := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		all = many.Unwrap()
	}
	var unsupported *model.UnsupportedError
	for _, err := range all {
		if errors.As(err, &unsupported) {
			r.Lacks = append(r.Lacks, unsupported.Op)
		}
	}
	if r.Reason = err.Error(); len(r.Lacks) > 1 {
		r.Reason = "lacks " + strings.Join(r.Lacks, ", ")
	}
	return r
}

func (s *sight) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "file\t%s, %s, sha256 %.12s…\n", s.File, thousands(int64(s.Size), "B"), s.SHA256)
	fmt.Fprintf(t, "made by\t%s, opset %d\n", cmp.Or(s.Producer, "nobody says"), s.Opset)
	for _, v := range s.Inputs {
		fmt.Fprintf(t, "input\t%s\n", v)
	}
	for _, v := range s.Outputs {
		fmt.Fprintf(t, "output\t%s\n", v)
	}
	ops := slices.SortedFunc(maps.Keys(s.Operators), func(a, b string) int {
		if d := s.Operators[b] - s.Operators[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, op := range ops {
		ops[i] = fmt.Sprintf("%d %s", s.Operators[op], op)
	}
	fmt.Fprintf(t, "operators\t%s\n", strings.Join(ops, ", "))
	fmt.Fprintf(t, "parameters\t%s\n", thousands(s.Parameters, ""))
	fmt.Fprintf(t, "work\t%s, %s for a picture of %s\n", thousands(s.MACs, "MAC"), thousands(s.FLOPs, "FLOP"), sizes(s.Shape))
	if len(s.Unknown) > 0 {
		fmt.Fprintf(t, "\tnot counted, for their shapes are not known: %s\n", strings.Join(s.Unknown, ", "))
	}
	for _, r := range s.Runtimes {
		verdict := "can execute it"
		if !r.Runs {
			verdict = "cannot: " + strings.TrimPrefix(r.Reason, r.Name+": ")
		}
		fmt.Fprintf(t, "%s\t%s\n", r.Name, verdict)
	}
	if s.Task != "" {
		fmt.Fprintf(t, "looks like\t%s; 'inspector model add %s --name NAME' drafts its model.yaml\n", s.Task, s.File)
	} else {
		fmt.Fprintf(t, "looks like\t%s\n", s.Doubt)
	}
	return t.Flush()
}

func (v sightValue) String() string { return fmt.Sprintf("%s  %s  %s", v.Name, v.Type, sizes(v.Shape)) }

func sizes(shape []int64) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		if parts[i] = strconv.FormatInt(d, 10); d < 0 {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, "x")
}

// thousands prints a number with three digits and a prefix.
func thousands(n int64, unit string) string {
	v, prefixes := float64(n), []string{"", "k", "M", "G", "T"}
	i := 0
	for ; v >= 999.5 && i < len(prefixes)-1; i++ {
		v /= 1000
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s%s", v, prefixes[i], unit))
}
