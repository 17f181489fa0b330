package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"inspector/notify/pattern"
)

const eventsUsage = `usage: inspector events tail [--pattern PATTERN] [--address URL] [--config FILE]
       inspector events test --pattern PATTERN --event FILE
tail shows events of the running appliance as they come, one JSON a line. test says whether a pattern matches an event, and if
not, which field does not fit; exit code 0: it matches, 1: it does not. PATTERN is JSON, a file of it, or a rule's file (.yaml).
`

// eventsCommand is inspector events VERB.
func eventsCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("events "+verb, flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(stderr, eventsUsage)
		f.PrintDefaults()
	}
	wanted := f.String("pattern", "", "JSON, or a `file`")
	switch verb {
	case "tail":
		file := f.String("config", "", "configuration `file`; empty: the defaults")
		address := f.String("address", "", "`URL` of the running appliance; empty: web.url, or web.listen of the configuration")
		if err := parseAlone(f, args, stderr); err != nil {
			return err
		}
		c, err := loadConfig(*file, env)
		if err != nil {
			return err
		}
		text, err := patternOf(*wanted)
		if err != nil {
			return err
		}
		return tailEvents(ctx, c.address(*address), text, stdout)
	case "test":
		event := f.String("event", "", "`file` of the event as JSON; -: standard input")
		if err := parseAlone(f, args, stderr); err != nil {
			return err
		}
		return testPattern(*wanted, *event, stdout)
	case "help", "-h", "--help":
		fmt.Fprint(stdout, eventsUsage)
		return nil
	}
	fmt.Fprint(stderr, eventsUsage)
	return exit{code: 2}
}

// parseAlone reads flags that nothing may stand beside: a pattern without its
// flag would be no pattern.
func parseAlone(f *flag.FlagSet, args []string, stderr io.Writer) error {
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return exit{2, fmt.Errorf("%s: %.100q is no flag; a pattern stands behind --pattern", f.Name(), f.Arg(0))}
	}
	return nil
}

// patternOf reads what --pattern says; nothing is nothing.
func patternOf(s string) ([]byte, error) {
	if s == "" || strings.HasPrefix(strings.TrimSpace(s), "{") {
		return []byte(s), nil
	}
	return patternFile(s)
}

// testPattern says whether the pattern matches the event, and why not.
func testPattern(wanted, file string, stdout io.Writer) error {
	if wanted == "" || file == "" {
		return exit{2, errors.New("want --pattern and --event")}
	}
	text, err := patternOf(wanted)
	if err != nil {
		return exit{2, err}
	}
	p, err := pattern.Parse(text)
	if err != nil {
		return exit{2, err}
	}
	read := func() ([]byte, error) { return os.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	}
	raw, err := read()
	if err != nil {
		return exit{2, err}
	}
	e, err := pattern.ReadEvent(raw)
	if err != nil {
		return exit{2, fmt.Errorf("%s: %w", file, err)}
	}
	if why := p.Why(e); why != "" {
		fmt.Fprintln(stdout, "no match:", why)
		return exit{code: 1}
	}
	fmt.Fprintln(stdout, "match")
	return nil
}

// tailEvents shows the events that match until ctx or the appliance ends.
func tailEvents(ctx context.Context, address string, wanted []byte, stdout io.Writer) error {
	target := address + "/api/v1/events/tail"
	if len(wanted) > 0 {
		target += "?pattern=" + url.QueryEscape(string(wanted))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask the appliance: %w; is it running? --address names another", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var p struct{ Detail, Remedy string }
		_ = json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&p) // its status says enough
		return fmt.Errorf("the appliance answered %s: %s; %s", answer.Status, p.Detail, p.Remedy)
	}
	err = showEvents(answer.Body, stdout)
	if ctx.Err() != nil {
		return nil // it was asked to end
	}
	return err
}

// showEvents writes the data of each event as a line, until the stream ends.
func showEvents(stream io.Reader, stdout io.Writer) error {
	in := bufio.NewScanner(stream)
	in.Buffer(nil, 1<<20)
	for kind := ""; in.Scan(); {
		if name, ok := strings.CutPrefix(in.Text(), "event: "); ok {
			kind = name
		}
		data, ok := strings.CutPrefix(in.Text(), "data: ")
		switch {
		case !ok:
		case kind == "end":
			var why struct{ Reason string }
			_ = json.Unmarshal([]byte(data), &why) // without a reason it has ended, too
			return fmt.Errorf("the stream ended: %s", why.Reason)
		default:
			if _, err := fmt.Fprintln(stdout, data); err != nil {
				return err
			}
		}
	}
	return in.Err()
}
