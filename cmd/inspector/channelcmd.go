package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"inspector/notify/people"
	"inspector/notify/rule"
)

const channelUsage = `usage: inspector channel list [--config FILE]
       inspector channel test NAME [--config FILE]
list shows the channels to people and the rules that use them. test sends one test message, past group and quiet hours; exit code 1: it
was not taken, and why.
`

// channelCommand is inspector channel VERB.
func channelCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if helpWanted([]string{verb}) || verb == "help" {
		fmt.Fprint(stdout, channelUsage)
		return nil
	}
	if verb != "list" && verb != "test" {
		fmt.Fprint(stderr, channelUsage)
		return exit{code: 2}
	}
	f := flag.NewFlagSet("channel "+verb, flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(stderr, channelUsage)
		f.PrintDefaults()
	}
	file := f.String("config", "", "configuration `file`; empty: the defaults")
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	name := f.Arg(0)
	if f.NArg() > 1 { // flags behind the name
		if err := parse(f, f.Args()[1:], stderr); err != nil {
			return err
		}
	}
	c, err := loadConfig(*file, env)
	if err != nil {
		return exit{2, err}
	}
	all, err := c.readChannels()
	if err != nil {
		return exit{2, err}
	}
	if verb == "list" {
		return listChannels(c, all, stdout)
	}
	of, ok := all[name]
	if !ok {
		return exit{2, fmt.Errorf("there is no channel %q; %s", name, channelsKnown(c, all))}
	}
	return testChannel(ctx, c, name, of, stdout)
}

func channelsKnown(c Config, all map[string]people.Channel) string {
	if len(all) == 0 {
		return "write NAME.yaml into the folder " + c.Events.Channels + "; docs/delivery.md shows how"
	}
	return "there are " + strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

func listChannels(c Config, all map[string]people.Channel, stdout io.Writer) error {
	rules, _, err := c.readRules()
	if err != nil {
		return exit{2, err}
	}
	if len(all) == 0 {
		_, err = fmt.Fprintln(stdout, "no channels;", channelsKnown(c, all))
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		used := []string{}
		for _, r := range rules {
			if slices.ContainsFunc(slices.Collect(maps.Values(r.Targets)), func(t rule.Target) bool { return t.Channel == name }) {
				used = append(used, r.Name)
			}
		}
		words := "no rule uses it"
		if len(used) > 0 {
			words = "rules: " + strings.Join(used, ", ")
		}
		if _, err := fmt.Fprintf(stdout, "%-20s  %-8s  %s\n", name, all[name].Kind(), words); err != nil {
			return err
		}
	}
	return nil
}

// testChannel sends one message, as the appliance would.
func testChannel(ctx context.Context, c Config, name string, of people.Channel, stdout io.Writer) error {
	o, err := people.Open(name, of)
	if err != nil {
		return err
	}
	defer o.Close()
	now := time.Now()
	key := fmt.Sprintf("test/%s/%d", name, now.UnixNano())
	r, err := o.Send(ctx, people.Test(c.Station, name, key, c.address(""), now))
	if err != nil {
		return exit{1, err}
	}
	if _, err := fmt.Fprintf(stdout, "channel %s took the test message\n", name); err != nil || r.Note == "" {
		return err
	}
	_, err = fmt.Fprintln(stdout, r.Note)
	return err
}

// checkChannels finds channels whose secrets are not there. It sends nothing.
func checkChannels(_ context.Context, c Config) (string, error) {
	all, err := c.readChannels()
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "none; " + channelsKnown(c, all), nil
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o, err := people.Open(name, all[name])
		if err == nil {
			err = o.Check()
			o.Close()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("channel %s: %w", name, err))
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ") + "; inspector channel test NAME sends a message", errors.Join(errs...)
}
