package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"inspector/classify"
	"inspector/evaluate"
)

// evalOptions are the flags of inspector eval.
type evalOptions struct {
	config, model, models, runtime, variant, recipe, copper string

	data, format, split, golden, rename string
	goldensAsGood                       bool
	limit, workers                      int

	json      bool
	csv, html string
}

func (o *evalOptions) flags(stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	f.StringVar(&o.data, "data", "", "data set: a `folder`, or the file that describes it (required)")
	f.StringVar(&o.format, "format", "", "of the data set: deeppcb, coco, yolo or folders; empty: found out")
	f.StringVar(&o.split, "split", "", "`part` of the data set: train, val, test; empty: the first there is of test, val, train")
	f.StringVar(&o.golden, "golden", "", "where golden boards are, relative to the data set: one picture, a folder of equal names, or a `path` with {name}, {stem} or {file} of the picture")
	f.BoolVar(&o.goldensAsGood, "goldens-as-good", false, "also judge each golden board against itself, as a good board")
	f.StringVar(&o.rename, "rename", "", "classes of the data set that the model calls otherwise: `OLD=NEW,...`")
	f.IntVar(&o.limit, "limit", 0, "judge at most `N` boards, evenly spread over the data set; 0: all")
	f.StringVar(&o.config, "config", "", "configuration `file`; empty: the defaults")
	f.StringVar(&o.model, "model", "", "`NAME` or NAME@VERSION; empty: the recipe's, or the configuration's")
	f.StringVar(&o.models, "models", "", "`folder` of models; empty: the configuration's")
	f.StringVar(&o.runtime, "runtime", "", "auto, onnxruntime, onnx-go or remote; empty: the configuration's")
	f.StringVar(&o.variant, "variant", "", "fp32 or int8; empty: the configuration's")
	f.StringVar(&o.recipe, "recipe", "", "`name` of a recipe of the configuration, or a recipe's file: its limits, golden board and copper; empty: the model's limits")
	f.StringVar(&o.copper, "copper", "", "how copper looks beside laminate, a `tone`: dark or bright; empty: as the recipe says, else dark")
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "boards judged at a time")
	f.BoolVar(&o.json, "json", false, "one JSON object instead of tables")
	f.StringVar(&o.csv, "csv", "", "write a line per board to this `file`")
	f.StringVar(&o.html, "html", "", "write a report with curves and the worst mistakes to this `file`")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector eval --data DIR [--model NAME[@VERSION]] [flags]\nMeasures a model on boards whose defects are known. Exit code 0: done, 2: error.")
		f.PrintDefaults()
	}
	return f
}

// evalCommand measures a model on a data set. Exit code 0: done; 2: a flag, the
// data set or the model is wrong, or a picture could not be read.
func evalCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var o evalOptions
	f := o.flags(stderr)
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return exit{2, fmt.Errorf("eval takes no %q; the data set is named with --data DIR", f.Arg(0))}
	case o.data == "":
		return exit{2, errors.New("eval: name the data set with --data DIR")}
	case o.workers < 1:
		return exit{2, fmt.Errorf("eval: --workers %d; want at least 1", o.workers)}
	}
	if _, err := toneOf(o.copper, ""); err != nil {
		return err
	}
	e, err := openEvaluation(ctx, o, env)
	if err != nil {
		return exit{2, err}
	}
	defer e.Close()
	samples, err := e.samples(o, stderr)
	if err != nil {
		return exit{2, err}
	}
	e.hintTone(o, samples, stderr)
	bar := &progress{all: len(samples), what: "boards"}
	stop := bar.show(stderr)
	boards, unread, err := e.judgeAll(ctx, samples, bar)
	stop()
	if err != nil {
		return exit{2, err}
	}
	tellUnjudged(stderr, boards)
	if err := e.report(o, samples, boards, stdout); err != nil {
		return exit{2, err}
	}
	if len(unread) > 0 {
		return exit{2, fmt.Errorf("%d of %d boards could not be read and count as unsure:\n%w", len(unread), len(samples), errors.Join(unread[:min(len(unread), 10)]...))}
	}
	return nil
}

// tellUnjudged names the first of the boards about which the model said nothing.
func tellUnjudged(stderr io.Writer, boards []evaluate.Board) {
	var unjudged []evaluate.Board
	for _, b := range boards {
		if b.Unjudged() {
			unjudged = append(unjudged, b)
		}
	}
	if len(unjudged) > 0 {
		fmt.Fprintf(stderr, "inspector: %d of %d boards are unsure without a call (--csv FILE names all), the first is %s: %s\n", len(unjudged), len(boards), unjudged[0].Name, unjudged[0].Reason)
	}
}

// samples reads the data set.
func (e *evaluation) samples(o evalOptions, stderr io.Writer) ([]evaluate.Sample, error) {
	rename, err := parseRename(o.rename)
	if err != nil {
		return nil, err
	}
	e.data, err = evaluate.Open(o.data, evaluate.Options{
		Format: evaluate.Format(o.format), Split: o.split, Golden: cmp.Or(o.golden, e.golden), Good: e.pkg.Good, Rename: rename,
	})
	if err != nil {
		return nil, err
	}
	if err := e.knows(stderr); err != nil {
		return nil, err
	}
	samples := e.data.Spread(o.limit)
	if o.goldensAsGood {
		var goods []evaluate.Sample
		seen := map[string]bool{}
		for _, s := range samples {
			if good, ok := s.AsGood(); ok && !seen[good.Golden] {
				seen[good.Golden] = true
				goods = append(goods, good)
			}
		}
		if len(goods) == 0 {
			return nil, errors.New("eval: --goldens-as-good, but the data set has no golden boards; say where they are with --golden")
		}
		samples = slices.Concat(samples, goods)
	}
	return samples, nil
}

func parseRename(text string) (map[string]string, error) {
	out := map[string]string{}
	if text == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ok := strings.Cut(part, "=")
		if !ok || from == "" || to == "" {
			return nil, fmt.Errorf("eval: --rename %q; want OLD=NEW,OLD=NEW", text)
		}
		out[from] = to
	}
	return out, nil
}

// report writes all that was asked for.
func (e *evaluation) report(o evalOptions, samples []evaluate.Sample, boards []evaluate.Board, stdout io.Writer) error {
	s := evaluate.Summarise(boards, e.classes(), e.policy, e.boxes())
	s.Model, s.Runtime, s.Recipe, s.Format = e.pkg.ID(), e.runtime, e.recipe, e.data.Format
	s.Data = filepath.Base(filepath.Clean(o.data))
	if o.csv != "" {
		if err := writeFile(o.csv, func(w io.Writer) error { return evaluate.WriteCSV(w, boards, e.policy) }); err != nil {
			return err
		}
	}
	if o.html != "" {
		exhibits := e.exhibits(samples, boards)
		if err := writeFile(o.html, func(w io.Writer) error { return evaluate.WriteHTML(w, s, boards, exhibits) }); err != nil {
			return err
		}
	}
	if o.json {
		return json.NewEncoder(stdout).Encode(s)
	}
	return printSummary(stdout, s)
}

// writeFile writes a file that is whole or, with an error, to be written again.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

// tone is what the flag, or else the recipe, says about copper.
func (o evalOptions) tone(r recipe) classify.Tone {
	return cmp.Or(classify.Tone(o.copper), r.Copper, classify.Dark)
}
