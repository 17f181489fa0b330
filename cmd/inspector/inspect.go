package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
	"time"

	"inspector"
	"inspector/camera"
	"inspector/classify"
)

// maxStill is the largest still that is decoded, in pixels: a 100-megapixel
// camera and some room.
const maxStill = 120_000_000

// inspectCommand judges files. Exit code 0: all pass; 1: some fail or unsure;
// 2: a file, a flag or the configuration is wrong.
func inspectCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("inspect", flag.ContinueOnError)
	file := f.String("config", "", "configuration `file`; empty: the defaults")
	recipeName := f.String("recipe", "", "`name` of the recipe; empty: the one in force")
	golden := f.String("golden", "", "`picture` of a known-good board, instead of a recipe's; {name} stands for the still's name up to its last _")
	copper := f.String("copper", "dark", "with --golden: how copper looks beside laminate, a `tone`: dark or bright")
	asJSON := f.Bool("json", false, "one JSON object a line")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector inspect [flags] IMAGE...\nJudges files. Exit code 0: all pass, 1: some fail or unsure, 2: error.")
		f.PrintDefaults()
	}
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return exit{2, errors.New("inspect: name at least one picture")}
	}
	if err := noFolders(f.Args()); err != nil {
		return err
	}
	tone, err := toneOf(*copper, classify.Dark)
	if err != nil {
		return err
	}
	c, err := loadConfig(*file, env)
	if err != nil {
		return exit{2, err}
	}
	judges, err := openJudgesFor(ctx, c, *golden, tone)
	if err != nil {
		return exit{2, err}
	}
	defer judges.Close()
	if *golden != "" {
		*recipeName = commandLine
	}
	if err := judges.check(*recipeName); err != nil {
		return exit{2, err}
	}
	print, flush := printTable(stdout)
	if *asJSON {
		e := json.NewEncoder(stdout)
		print, flush = func(i inspector.Inspection) error { return e.Encode(i) }, func() error { return nil }
	}
	code, err := inspectFiles(ctx, f.Args(), stderr, print, func(name string) (inspector.Inspection, error) {
		return inspectFile(ctx, judges, c.Station, *recipeName, name)
	})
	if err = errors.Join(err, flush()); err != nil {
		return exit{2, err}
	}
	if code != 0 {
		return exit{code: code}
	}
	return nil
}

// inspectFiles prints the inspection of each file, and gives the exit code.
func inspectFiles(ctx context.Context, names []string, stderr io.Writer, print func(inspector.Inspection) error, inspect func(string) (inspector.Inspection, error)) (code int, err error) {
	for _, name := range names {
		i, fault := inspect(name)
		if ctx.Err() != nil {
			return 2, ctx.Err()
		}
		if fault != nil {
			fmt.Fprintln(stderr, "inspector:", fault)
		}
		code = max(code, codeOf(i.Verdict, fault))
		if err := print(i); err != nil {
			return 2, err
		}
	}
	return code, nil
}

// codeOf is the exit code for one picture.
func codeOf(v inspector.Verdict, fault error) int {
	switch {
	case fault != nil:
		return 2
	case v != inspector.Pass:
		return 1
	}
	return 0
}

// commandLine is the recipe that --golden makes.
const commandLine = "command-line"

func openJudgesFor(ctx context.Context, c Config, golden string, copper classify.Tone) (*judges, error) {
	if golden == "" {
		return openJudges(ctx, c, nil)
	}
	c.Recipe = commandLine
	return openJudges(ctx, c, map[string]recipe{commandLine: {Golden: golden, Copper: copper}})
}

// inspectFile judges one file. A file that cannot be read is unsure, and the
// error says why.
func inspectFile(ctx context.Context, judges *judges, station inspector.Station, recipe, name string) (inspector.Inspection, error) {
	recipe = judges.name(recipe)
	i := inspector.Inspection{
		Station: station, Trigger: inspector.Trigger{Source: "file", At: time.Now()}, At: time.Now(), Still: name, Evidence: []inspector.Blob{},
		Recipe: recipe,
	}
	i.Model, i.Runtime = judges.now(recipe)
	r, p, err := judgeFile(ctx, judges, &i, recipe, name)
	if err != nil {
		r = classify.Unsure(err)
	}
	r.Timings.Code = i.Timings.Code
	i.Verdict, i.Reason, i.Score, i.Defects, i.LeftOut, i.Lay, i.Timings = r.Verdict, r.Reason, r.Score, r.Defects, r.LeftOut, r.Lay, r.Timings
	i.Width, i.Height = p.Width, p.Height
	if i.Defects == nil {
		i.Defects = []inspector.Defect{}
	}
	return i, err
}

// judgeFile judges one file by the recipe of that name, and says in i by which
// one if it was by-code.
func judgeFile(ctx context.Context, judges *judges, i *inspector.Inspection, recipe, name string) (r classify.Result, p inspector.Pixels, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return r, p, err
	}
	if p, err = camera.Decode(data, maxStill); err != nil {
		return r, p, fmt.Errorf("%s: %w", name, err)
	}
	var at *place
	if recipe != byCode {
		taken, err := judges.take(recipe)
		if err != nil {
			return r, p, err
		}
		at = &taken
	}
	at, says, unclear := judges.recognise(ctx, at, "", p)
	i.Code, i.Serial, i.Timings.Code = says.text, says.serial, says.took
	if at == nil {
		return classify.Unsure(unclear), p, nil
	}
	i.Recipe, i.Model, i.Runtime = at.name, at.pkg.ID(), at.label()
	if unclear != nil {
		return classify.Unsure(unclear), p, at.leave()
	}
	judge, err := at.of(name)
	if err == nil {
		r = judge.Classify(ctx, p)
	}
	return r, p, errors.Join(err, at.leave())
}

func printTable(w io.Writer) (print func(inspector.Inspection) error, flush func() error) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PICTURE\tVERDICT\tDEFECTS\tWORST\tMODEL\tREASON")
	return func(i inspector.Inspection) error {
		_, err := fmt.Fprintf(t, "%s\t%s\t%d\t%.2f\t%.1f ms\t%s\n", i.Still, i.Verdict, len(i.Defects), math.Floor(float64(i.Score)*100)/100, float64(i.Timings.Infer.Microseconds())/1000, i.Reason)
		return err
	}, t.Flush
}
