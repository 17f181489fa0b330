package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"inspector"
	"inspector/camera"
	"inspector/classify"
)

// A lesson is what inspector recipe learn is asked for.
type lesson struct {
	config    Config
	copper    classify.Tone
	good, bad []string // files
	file      string   // of the recipe
	stdout    io.Writer
}

func learnCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("recipe learn", flag.ContinueOnError)
	config := f.String("config", "", "configuration `file`; empty: the defaults")
	good := f.String("good", "", "`folder` of stills of good boards (required)")
	bad := f.String("bad", "", "`folder` of stills of boards with defects")
	copper := f.String("copper", "dark", "how copper looks beside laminate, a `tone`: dark or bright")
	force := f.Bool("force", false, "write over a recipe that is there")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector recipe learn --good FOLDER [--bad FOLDER] RECIPE.yaml\nMakes a golden board of good stills, proposes limits from good and bad ones, and writes a recipe.")
		f.PrintDefaults()
	}
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	if f.NArg() != 1 || *good == "" || filepath.Ext(f.Arg(0)) != ".yaml" {
		return exit{2, errors.New("recipe learn: name the folder of good stills (--good) and the recipe to write (RECIPE.yaml)")}
	}
	if _, err := os.Stat(f.Arg(0)); err == nil && !*force {
		return exit{2, fmt.Errorf("recipe learn: %s is there already; --force writes over it", f.Arg(0))}
	}
	l := lesson{file: f.Arg(0), stdout: stdout}
	var err error
	if l.copper, err = toneOf(*copper, classify.Dark); err != nil {
		return err
	}
	if l.config, err = loadConfig(*config, env); err != nil {
		return exit{2, err}
	}
	l.config.Recipes, l.config.Recipe = "", learning // others' faults are not ours
	if l.good, err = pictures("--good", *good); err != nil {
		return exit{2, err}
	}
	if *bad != "" {
		if l.bad, err = pictures("--bad", *bad); err != nil {
			return exit{2, err}
		}
	}
	return l.learn(ctx)
}

// learn makes golden board, limits and recipe. Half of the good boards make
// the golden one and the others judge it, if there are enough.
func (l lesson) learn(ctx context.Context) error {
	teachers, judged := l.good, l.good
	if len(l.good) >= 10 {
		teachers, judged = fold(l.good, 0, 2)
	}
	learned, err := l.golden(ctx, teachers[:min(len(teachers), classify.MostStills)])
	if err != nil {
		return err
	}
	r := recipe{Golden: l.beside("golden"), Tolerance: l.beside("tolerance"), Copper: l.copper}
	for file, px := range map[string]inspector.Pixels{r.Golden: learned.Golden, r.Tolerance: learned.Tolerance} {
		data, err := classify.PNG(px)
		if err == nil {
			err = os.WriteFile(file, data, 0o666)
		}
		if err != nil {
			return fmt.Errorf("recipe learn: %w", err)
		}
	}
	seen, err := l.score(ctx, r, judged)
	if err != nil {
		return err
	}
	r.Model = seen.model
	proposed, e := best(seen.examples)
	l.report(proposed, e)
	return l.write(r, proposed, e)
}

// beside is a picture next to the recipe: mainboard.golden.png.
func (l lesson) beside(what string) string {
	return strings.TrimSuffix(l.file, ".yaml") + "." + what + ".png"
}

func (l lesson) golden(ctx context.Context, files []string) (classify.Learned, error) {
	var stills []inspector.Pixels
	for _, file := range files {
		px, err := readGolden(file)
		if err != nil {
			return classify.Learned{}, err
		}
		stills = append(stills, px)
	}
	judges, err := openJudges(ctx, l.config, map[string]recipe{learning: {drawn: func() (inspector.Pixels, error) { return stills[0], nil }, Copper: l.copper}})
	if err != nil {
		return classify.Learned{}, err
	}
	defer judges.Close()
	c, err := judges.places[learning].of("")
	if err != nil {
		return classify.Learned{}, err
	}
	learned, err := c.Learn(stills)
	if err != nil {
		return learned, err
	}
	refused := 0
	for i, err := range learned.Refused {
		if err != nil {
			refused++
			fmt.Fprintf(l.stdout, "refused      %s: %v\n", files[i], err)
		}
	}
	fmt.Fprintf(l.stdout, "golden       of %d stills, %d refused; good boards differ at %.1f %% of it\n", len(stills)-refused, refused, 100*learned.Varies)
	return learned, nil
}

// learning is the recipe that judges while a recipe is learnt.
const learning = "learning"

// marks are what a version of a model, NAME@VERSION, said of the examples.
type marks struct {
	examples
	model string
}

// score judges the examples. A board that is not judged is unsure whatever the
// limits, and is told of.
func (l lesson) score(ctx context.Context, r recipe, good []string) (x marks, err error) {
	r.Limits = &limits{Fail: .999, Pass: .001}
	judges, err := openJudges(ctx, l.config, map[string]recipe{learning: r})
	if err != nil {
		return x, err
	}
	defer judges.Close()
	at := judges.places[learning]
	x.model = at.pkg.Name + "@" + at.pkg.Version
	c, err := at.of("")
	if err != nil {
		return x, err
	}
	unjudged := 0
	for i, file := range append(slices.Clone(good), l.bad...) {
		data, err := os.ReadFile(file)
		if err != nil {
			return x, err
		}
		px, err := camera.Decode(data, maxStill)
		if err != nil {
			return x, fmt.Errorf("%s: %w", file, err)
		}
		result := c.Classify(ctx, px)
		switch {
		case ctx.Err() != nil:
			return x, ctx.Err()
		case result.Timings.Decode == 0:
			unjudged++
			fmt.Fprintf(l.stdout, "unsure       %s: %s\n", file, result.Reason)
		case i < len(good):
			x.good = append(x.good, exampleOf(result))
		default:
			x.bad = append(x.bad, exampleOf(result))
		}
	}
	fmt.Fprintf(l.stdout, "examples     %d good, %d bad, %d not judged\n", len(x.good), len(x.bad), unjudged)
	return x, nil
}

func exampleOf(r classify.Result) example {
	e := example{"": r.Score}
	for _, d := range r.Defects {
		delete(e, "")
		e[d.Class] = max(e[d.Class], d.Score)
	}
	return e
}

func (l lesson) report(p proposal, e expectation) {
	fmt.Fprintf(l.stdout, "limits       fail %v, pass %v\n", p.all.Fail, p.all.Pass)
	for _, class := range slices.Sorted(maps.Keys(p.classes)) {
		fmt.Fprintf(l.stdout, "  %-10s fail %v, pass %v\n", class, p.classes[class].Fail, p.classes[class].Pass)
	}
	fmt.Fprintf(l.stdout, "false calls  %s of the good boards, and %d unsure\n", share(e.falseCalls, e.good), e.goodUnsure)
	if e.bad == 0 {
		fmt.Fprintln(l.stdout, "escapes      unknown: no bad boards were given (--bad)")
		return
	}
	fmt.Fprintf(l.stdout, "escapes      %s of the bad boards, and %d unsure\n", share(e.escapes, e.bad), e.badUnsure)
}

// write makes the recipe file, or leaves what was there.
func (l lesson) write(r recipe, p proposal, e expectation) error {
	r.Golden, r.Tolerance, r.Limits, r.Classes = filepath.Base(r.Golden), filepath.Base(r.Tolerance), &p.all, p.classes
	body, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Learnt by inspector recipe learn from %d good and %d bad stills. Expected of boards like them:\n", len(l.good), len(l.bad))
	fmt.Fprintf(&text, "# false calls %s, escapes %s.\n", share(e.falseCalls, e.good), share(e.escapes, e.bad))
	fmt.Fprintln(&text, "# The limits are of scores of this version of the model: learn again before another one judges.")
	text.Write(body)
	part := l.file + ".part"
	if err := os.WriteFile(part, text.Bytes(), 0o666); err != nil {
		return err
	}
	if err := os.Rename(part, l.file); err != nil {
		return err
	}
	fmt.Fprintf(l.stdout, "wrote        %s, %s, %s\n", l.file, l.beside("golden"), l.beside("tolerance"))
	return nil
}
