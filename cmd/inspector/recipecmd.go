package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"inspector/web"
)

const recipeUsage = `usage: inspector recipe list [flags]
       inspector recipe use [flags] RECIPE
       inspector recipe learn --good FOLDER [--bad FOLDER] RECIPE.yaml
       inspector recipe example FOLDER
list and use ask a running appliance, where a change takes effect between two boards. Of one that is stopped the data directory is changed.
`

// recipeCommand is inspector recipe list, use, learn and example.
func recipeCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "list", "use":
		o, err := parseChoice(name, args, env, stderr)
		if err != nil {
			return err
		}
		if name == "list" {
			return o.list(ctx, stdout)
		}
		return o.carryOut(ctx, stdout)
	case "learn":
		return learnCommand(ctx, args, env, stdout, stderr)
	case "example":
		return exampleCommand(args, env, stdout, stderr)
	}
	if helpWanted([]string{name}) {
		fmt.Fprint(stdout, recipeUsage)
		return nil
	}
	fmt.Fprint(stderr, recipeUsage)
	if name == "" {
		return exit{code: 2}
	}
	return exit{2, fmt.Errorf("unknown command recipe %q", name)}
}

// A choice is what somebody asks about the recipe in force.
type choice struct {
	order
	change recipeChange
}

// parseChoice reads the command line of list and use. The recipe may stand
// before the flags or after them.
func parseChoice(action string, args []string, env func(string) string, stderr io.Writer) (choice, error) {
	var o choice
	f := flag.NewFlagSet("recipe "+action, flag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(stderr, recipeUsage); f.PrintDefaults() }
	file := f.String("config", "", "configuration `file`; empty: the defaults")
	f.StringVar(&o.address, "address", "", "`URL` of the running appliance; empty: web.url, or web.listen of the configuration")
	if action == "list" {
		f.BoolVar(&o.asJSON, "json", false, "one JSON object")
	} else {
		f.StringVar(&o.change.By, "by", cmp.Or(env("USER"), env("LOGNAME")), "`name` of the person who decides")
		f.StringVar(&o.change.Reason, "reason", "", "`why`, for the audit")
	}
	var names []string
	for {
		if err := parse(f, args, stderr); err != nil {
			return o, err
		}
		if f.NArg() == 0 {
			break
		}
		names, args = append(names, f.Arg(0)), f.Args()[1:]
	}
	var err error
	if o.config, err = loadConfig(*file, env); err != nil {
		return o, exit{2, err}
	}
	o.address = o.config.address(o.address)
	switch {
	case action == "list" && len(names) > 0:
		return o, exit{2, fmt.Errorf("recipe list takes no %q", names[0])}
	case action == "list":
		return o, nil
	case len(names) != 1:
		return o, exit{2, errors.New("recipe use: name one recipe; inspector recipe list lists them")}
	case o.change.By == "":
		return o, exit{2, errors.New("say who decides, with --by NAME")}
	}
	o.change.To = names[0]
	return o, nil
}

// carryOut has the change made by the running appliance, or here if it is
// stopped.
func (o choice) carryOut(ctx context.Context, stdout io.Writer) error {
	var done web.RecipeChange
	body := map[string]string{"recipe": o.change.To, "by": o.change.By, "reason": o.change.Reason}
	err := o.ask(ctx, http.MethodPut, "/recipe", body, &done)
	if errors.Is(err, errStopped) {
		done, err = o.here(ctx, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "recipe in force: %s, before %s\n", done.To, done.From)
	return nil
}

// here changes the data directory of an appliance that is stopped.
func (o choice) here(ctx context.Context, stopped error) (web.RecipeChange, error) {
	var done recipeChange
	err := whileStopped(ctx, o.config, stopped, func(j *judges) (err error) {
		done, err = j.use(o.change)
		return err
	})
	return web.RecipeChange(done), err
}

// list prints the recipes and the newest changes.
func (o choice) list(ctx context.Context, stdout io.Writer) error {
	var now web.InForce
	err := o.ask(ctx, http.MethodGet, "/recipe", nil, &now)
	if errors.Is(err, errStopped) {
		var j *judges
		if j, err = readJudges(o.config, nil); err == nil {
			now = j.recipesNow()
		}
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(stdout).Encode(now)
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RECIPE\tMODEL\tCODE\t")
	if !slices.ContainsFunc(now.Recipes, func(r web.Recipe) bool { return r.Name == now.Recipe }) {
		now.Recipes = append([]web.Recipe{{Name: now.Recipe, Model: "not there any more"}}, now.Recipes...)
	}
	for _, r := range now.Recipes {
		var is []string
		if r.Name == now.Recipe {
			is = append(is, "in force")
		}
		if r.Name == now.Configured {
			is = append(is, "configured")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, cmp.Or(r.Model, "as the code on the board says"), cmp.Or(r.Code, "-"), strings.Join(is, ", "))
	}
	fmt.Fprintln(w, "\nWHEN\tWHO\tFROM\tTO\tREASON")
	for _, c := range now.Changes[:min(20, len(now.Changes))] {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.At.Format(time.RFC3339), c.By, c.From, c.To, c.Reason)
	}
	return w.Flush()
}

// recipesNow says which recipes there are, which is in force, and since when.
func (j *judges) recipesNow() web.InForce {
	now := web.InForce{Recipe: j.name(""), Configured: j.recipe}
	if len(j.codes) > 0 {
		now.Recipes = append(now.Recipes, web.Recipe{Name: byCode})
	}
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		id, _ := j.now(name)
		r := web.Recipe{Name: name, Model: cmp.Or(id, j.refs[name].String())}
		if c := j.recipes[name].Code; c != nil {
			r.Code = c.Pattern
		}
		now.Recipes = append(now.Recipes, r)
	}
	for _, c := range slices.Backward(j.force.all()) {
		now.Changes = append(now.Changes, web.RecipeChange(c))
	}
	return now
}

// Recipes says which recipe judges boards that ask for none.
func (b *backend) Recipes(context.Context) (web.InForce, error) { return b.judges.recipesNow(), nil }

// UseRecipe puts a recipe in force, from the next board on.
func (b *backend) UseRecipe(_ context.Context, o web.RecipeChange) (web.RecipeChange, error) {
	c, err := b.judges.use(recipeChange(o))
	if err != nil {
		return o, meaning(err)
	}
	b.line.log.Info("another recipe is in force", "recipe", c.To, "from", c.From, "by", c.By, "reason", c.Reason)
	return web.RecipeChange(c), nil
}
