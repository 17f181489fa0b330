package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"inspector/notify/people"
	"inspector/notify/rule"
)

// EventsConfig says where events go.
type EventsConfig struct {
	Rules        string `yaml:"rules"`
	Functions    string `yaml:"functions"`
	Channels     string `yaml:"channels"`
	StatesSource string `yaml:"states_source"`
}

func (c Config) addEventFaults(f *faults) {
	f.want(c.Events.StatesSource != "", "events.states_source", "a source is required: aws.states, or a word of your own")
	for _, named := range [][3]string{{"events.rules", c.Events.Rules, defaults().Events.Rules}, {"events.functions", c.Events.Functions, defaults().Events.Functions}, {"events.channels", c.Events.Channels, defaults().Events.Channels}} {
		if _, err := os.Stat(named[1]); named[1] != named[2] && named[1] != "" {
			f.want(err == nil, named[0], "%v; create it or leave the key out", err)
		}
	}
}

// origin of all events of this appliance.
func (c Config) origin() rule.Origin {
	return rule.Origin{Account: c.Station.Device, Region: c.Station.Site, States: c.Events.StatesSource}
}

// readRules gives the rules and functions of the configuration, or every fault
// of them with file and line.
func (c Config) readRules() (rules []rule.Rule, functions []rule.Function, err error) {
	var errs []error
	rules, found := readEach(c.Events.Rules, func(r *rule.Rule, file string) (string, []rule.Fault) {
		r.Name = cmp.Or(r.Name, file)
		return r.Name, r.Faults()
	})
	errs = append(errs, found...)
	functions, found = readEach(c.Events.Functions, func(f *rule.Function, file string) (string, []rule.Fault) {
		f.Name = cmp.Or(f.Name, file)
		return f.Name, f.Faults()
	})
	errs = append(errs, found...)
	channels, wrong := c.readChannels()
	errs = append(errs, wrong)
	errs = append(errs, strangers(c.Events.Rules, rules, functions, channels)...)
	return rules, functions, errors.Join(errs...)
}

// readEach reads every YAML file of a folder, which need not be there.
func readEach[T any](dir string, check func(v *T, file string) (name string, faults []rule.Fault)) (all []T, errs []error) {
	if dir == "" {
		return nil, nil
	}
	files, err := yamlFiles(dir)
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %w", dir, err)}
	}
	named := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var v T
		from, faults := decodeYAML(file, text, &v, "docs/events.md lists all")
		name, wrong := check(&v, strings.TrimSuffix(filepath.Base(file), ".yaml"))
		for _, f := range wrong {
			faults = append(faults, from.fault(f.Key, errors.New(f.Message)))
		}
		if other := named[name]; other != "" {
			faults = append(faults, from.fault("name", fmt.Errorf("%q is the name of %s, too", name, other)))
		}
		named[name] = file
		errs = append(errs, faults...)
		all = append(all, v)
	}
	return all, errs
}

// readChannels gives the channels to people, by name, or every fault of them
// with file and line.
func (c Config) readChannels() (map[string]people.Channel, error) {
	all, err := readTaskFiles(c.Events.Channels, "events.channels", people.Default)
	for name := range all {
		if !channelName.MatchString(name) {
			err = errors.Join(err, fmt.Errorf("%s/%s.yaml: want 1 to 64 letters, digits, _ or - as its name", c.Events.Channels, name))
		}
	}
	return all, err
}

var channelName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// strangers are functions and channels that are named and not there.
func strangers(dir string, rules []rule.Rule, functions []rule.Function, channels map[string]people.Channel) (errs []error) {
	known := func(s *rule.Sink, where string) {
		if s != nil && s.Function != "" && !slices.ContainsFunc(functions, func(f rule.Function) bool { return f.Name == s.Function }) {
			errs = append(errs, fmt.Errorf("%s: there is no function %q; add it to the folder events.functions", where, s.Function))
		}
	}
	for _, r := range rules {
		for name, t := range r.Targets {
			where := fmt.Sprintf("%s: rule %s: targets.%s", dir, r.Name, name)
			known(&t.Sink, where)
			if _, ok := channels[t.Channel]; t.Channel != "" && !ok {
				errs = append(errs, fmt.Errorf("%s: there is no channel %q; add its file to the folder events.channels", where, t.Channel))
			}
		}
	}
	for _, f := range functions {
		known(f.OnSuccess, "function "+f.Name+": on_success")
		known(f.OnFailure, "function "+f.Name+": on_failure")
	}
	return errs
}

// patternFile gives the pattern of a rule (.yaml), or the text of another file.
func patternFile(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist", file)
	}
	if err != nil || !strings.HasSuffix(file, ".yaml") {
		return text, err
	}
	var r rule.Rule
	if _, faults := decodeYAML(file, text, &r, "docs/events.md lists all"); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return r.PatternText()
}
