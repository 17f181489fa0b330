package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"inspector/model"
	"inspector/store"
	"inspector/web"
)

// An order is what somebody asks of the models.
type order struct {
	config  Config
	address string // of a running appliance
	asJSON  bool
	change  model.Change
}

// modelCommand lists the models and lets other versions judge. Exit code 0:
// done, 1: refused, and all is as it was; 2: the order makes no sense.
func modelCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, modelUsage)
		return exit{code: 2}
	}
	switch args[0] {
	case "inspect":
		return modelInspectCommand(args[1:], stdout, stderr)
	case "add":
		return modelAddCommand(args[1:], env, stdout, stderr)
	}
	o, err := parseOrder(args[0], args[1:], env, stderr)
	if err != nil {
		return err
	}
	switch args[0] {
	case "list":
		return o.list(ctx, stdout)
	case "disagreements":
		return o.disagreements(ctx, stdout)
	}
	return o.carryOut(ctx, stdout)
}

func parseOrder(action string, args []string, env func(string) string, stderr io.Writer) (order, error) {
	o := order{change: model.Change{Alias: model.Production, Back: action == "rollback"}}
	f := flag.NewFlagSet("model "+action, flag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(stderr, modelHelp[action]); f.PrintDefaults() }
	file := f.String("config", "", "configuration `file`; empty: the defaults")
	f.StringVar(&o.address, "address", "", "`URL` of the running appliance; empty: web.url, or web.listen of the configuration")
	off := new(bool)
	switch action {
	case "list", "disagreements":
		f.BoolVar(&o.asJSON, "json", false, "one JSON object")
	case "promote", "rollback", "shadow":
		f.StringVar(&o.change.By, "by", cmp.Or(env("USER"), env("LOGNAME")), "`name` of the person who decides")
		f.StringVar(&o.change.Reason, "reason", "", "`why`, for the audit")
		if action == "shadow" {
			o.change.Alias, off = model.Shadow, f.Bool("off", false, "end the shadow: of NAME only production judges")
		}
	case "help", "-h", "--help":
		fmt.Fprint(stderr, modelUsage)
		return o, flag.ErrHelp
	default:
		fmt.Fprint(stderr, modelUsage)
		return o, exit{2, fmt.Errorf("unknown command model %q", action)}
	}
	names, err := flagsAround(f, args, stderr)
	if err != nil {
		return o, err
	}
	if o.config, err = loadConfig(*file, env); err != nil {
		return o, exit{2, err}
	}
	o.address = o.config.address(o.address)
	if action == "list" || action == "disagreements" {
		if len(names) > 0 {
			return o, exit{2, fmt.Errorf("model %s takes no %q", action, names[0])}
		}
		return o, nil
	}
	if len(names) != 1 {
		return o, exit{2, fmt.Errorf("model %s: name one model, not %q", action, names)}
	}
	return o, o.aim(names[0], action == "rollback" || *off)
}

// aim reads which model the order is about, and at which version unless it
// needs none.
func (o *order) aim(text string, bare bool) error {
	ref, err := model.ParseRef(text)
	if err != nil {
		return exit{2, err}
	}
	o.change.Model = ref.Name
	switch {
	case bare && ref.Pinned() && o.change.Alias == model.Shadow:
		return exit{2, fmt.Errorf("say --off %s, without a version: a model has one shadow", ref.Name)}
	case bare && ref.Pinned():
		return exit{2, fmt.Errorf("leave the version out of %q: it follows from what was before", text)}
	case !bare && !ref.Pinned():
		return exit{2, fmt.Errorf("%q: say the version, as %s@1.0.0", text, ref.Name)}
	case !bare:
		o.change.To = ref.At
	}
	if o.change.By == "" {
		return exit{2, errors.New("say who decides, with --by NAME")}
	}
	return nil
}

// errStopped says that nobody answers at the address.
var errStopped = errors.New("no appliance answers")

// ask sends one request to the running appliance, and decodes its answer;
// errStopped if there is none.
func (o order) ask(ctx context.Context, method, path string, body, answer any) error {
	text, err := o.fetch(ctx, method, path, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// fetch sends one request to the running appliance, and gives the bytes of its
// answer; errStopped if there is none.
func (o order) fetch(ctx context.Context, method, path string, body any) ([]byte, error) {
	token, err := readSecret(o.config.Web.TokenFile)
	if err != nil {
		return nil, err
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, o.address+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return nil, exit{2, fmt.Errorf("--address: %q is not an address: %w", o.address, err)}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+string(token))
	}
	got, err := http.DefaultClient.Do(r)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return nil, fmt.Errorf("%w at %s: %w", errStopped, o.address, err)
	} else if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	text, err = io.ReadAll(io.LimitReader(got.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if got.StatusCode != http.StatusOK {
		var p struct{ Code, Detail, Remedy string }
		if err := json.Unmarshal(text, &p); err != nil || p.Detail == "" {
			return nil, fmt.Errorf("%s answers %s; is that an inspector?", o.address, got.Status)
		}
		if p.Code != "" {
			return nil, fmt.Errorf("%s: %s", p.Code, p.Detail)
		}
		return nil, fmt.Errorf("%s; %s", p.Detail, p.Remedy)
	}
	return text, nil
}

// carryOut has the change made by the running appliance, or here if it is
// stopped.
func (o order) carryOut(ctx context.Context, stdout io.Writer) error {
	action, c := "promote", o.change
	if c.Back {
		action = "rollback"
	}
	body := map[string]string{"by": c.By, "reason": c.Reason}
	if !c.Back {
		body["version"], body["alias"] = c.To, c.Alias
	}
	var done web.ModelChange
	err := o.ask(ctx, http.MethodPost, "/models/"+c.Model+"/"+action, body, &done)
	if errors.Is(err, errStopped) {
		done, err = o.here(ctx, err)
	}
	if err != nil {
		return err
	}
	if done.Alias == model.Shadow && done.To == "" {
		fmt.Fprintf(stdout, "%s has no shadow any more; it was %s\n", done.Model, done.From)
		return nil
	}
	fmt.Fprintf(stdout, "%s of %s: %s, before %s\n", done.Alias, done.Model, cmp.Or(done.To, "none"), cmp.Or(done.From, "none"))
	return nil
}

// here changes the data directory of an appliance that is stopped. The version
// proves itself all the same.
func (o order) here(ctx context.Context, stopped error) (web.ModelChange, error) {
	var done model.Change
	err := whileStopped(ctx, o.config, stopped, func(j *judges) (err error) {
		done, err = j.change(ctx, o.change)
		return err
	})
	return told(done), err
}

// whileStopped changes the data directory of an appliance that cannot be
// reached; the store's lock proves that it is stopped.
func whileStopped(ctx context.Context, c Config, unreached error, change func(*judges) error) error {
	disk, err := store.Open(ctx, c.Data, c.Station.Device)
	if err != nil {
		return fmt.Errorf("%w; and its data directory cannot be changed: %w (if it runs, name its --address)", unreached, err)
	}
	j, err := readJudges(c, nil)
	if err == nil {
		err = change(j)
	}
	return errors.Join(err, disk.Close())
}

// list prints versions, aliases and the newest changes.
func (o order) list(ctx context.Context, stdout io.Writer) error {
	var all struct {
		Models  []web.Model       `json:"models"`
		Changes []web.ModelChange `json:"changes"`
	}
	err := o.ask(ctx, http.MethodGet, "/models", nil, &all)
	if errors.Is(err, errStopped) {
		var r *model.Registry
		if r, err = openRegistry(o.config); err == nil {
			all.Models, all.Changes, err = listModels(r, nil)
		}
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(stdout).Encode(all)
	}
	damaged, err := o.damaged(all.Models)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tVERSION\tALIAS")
	for _, m := range all.Models {
		for _, v := range slices.Backward(m.Versions) {
			var is []string
			if v == m.Production {
				is = append(is, model.Production)
			}
			if v == m.Shadow {
				is = append(is, model.Shadow)
			}
			if why := damaged[model.Ref{Name: m.Name, At: v}]; why != nil {
				is = append(is, "refused: "+strings.ReplaceAll(why.Error(), "\n", "; "))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", m.Name, v, strings.Join(is, ", "))
		}
		for _, why := range m.Refused {
			fmt.Fprintf(w, "%s\trefused\t%s\n", m.Name, why)
		}
	}
	fmt.Fprintln(w, "\nWHEN\tWHO\tMODEL\tALIAS\tFROM\tTO\tREASON")
	for _, c := range all.Changes[:min(20, len(all.Changes))] {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.At.Format(time.RFC3339), c.By, c.Model, c.Alias, cmp.Or(c.From, "-"), cmp.Or(c.To, "-"), c.Reason)
	}
	return w.Flush()
}

// disagreements prints what the running appliance keeps.
func (o order) disagreements(ctx context.Context, stdout io.Writer) error {
	var all struct {
		Disagreements []web.Disagreement `json:"disagreements"`
	}
	if err := o.ask(ctx, http.MethodGet, "/disagreements?limit=500", nil, &all); err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(stdout).Encode(all)
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "INSPECTION\tRECIPE\tPRODUCTION\tSHADOW\tSHADOW'S REASON")
	for _, d := range all.Disagreements {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.ID, d.Recipe, d.Production.Verdict, d.Shadow.Verdict, d.Shadow.Reason)
	}
	return w.Flush()
}
