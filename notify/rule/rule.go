package rule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"inspector/notify/pattern"
)

// A Rule sends the events that its pattern wants to its targets.
type Rule struct {
	Name        string            `yaml:"name"` // empty: the file's
	Description string            `yaml:"description"`
	Enabled     *bool             `yaml:"enabled"` // nil: yes
	Pattern     any               `yaml:"pattern"` // JSON as text, or the same in YAML
	Targets     map[string]Target `yaml:"targets"`
}

// A Target is where a rule sends events, and how hard it tries.
type Target struct {
	Sink        `yaml:",inline"`
	Input       any          `yaml:"input"`      // sent in place of the event
	InputPath   string       `yaml:"input_path"` // the part of the event that is sent
	Transformer *Transformer `yaml:"transformer"`
	Retry       Retry        `yaml:"retry"`
	DeadLetter  *Sink        `yaml:"dead_letter"`
}

// Retry says how long a target is tried.
type Retry struct {
	Attempts *int          `yaml:"attempts"` // after the first; nil: 185
	MaxAge   time.Duration `yaml:"max_age"`  // of the event; 0: 24 h
}

// AWS's limits, which are its defaults, too.
const (
	maxAttempts = 185
	minAge      = time.Minute
	maxAge      = 24 * time.Hour
)

// Age is how old an event may become before it is a dead letter.
func (r Retry) Age() time.Duration { return cmp.Or(r.MaxAge, maxAge) }

func (r Retry) attempts() int {
	if r.Attempts == nil {
		return maxAttempts
	}
	return *r.Attempts
}

// A Fault is one thing wrong with a rule or a function, and where: targets.mail.
type Fault struct{ Key, Message string }

// A list gathers faults.
type list []Fault

func (l *list) want(ok bool, key, format string, args ...any) {
	if !ok {
		*l = append(*l, Fault{key, fmt.Sprintf(format, args...)})
	}
}

// Name is what rules, targets and functions may be called: a part of names of
// executions, lanes and files.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Faults says everything that is wrong with the rule.
func (r Rule) Faults() []Fault {
	var l list
	l.want(nameForm.MatchString(r.Name), "name", "%q: want 1 to 64 letters, digits, _ or -", r.Name)
	if text, err := r.PatternText(); err != nil {
		l.want(false, "pattern", "%v", err)
	} else if _, err := pattern.Parse(text); err != nil {
		l.want(false, "pattern", "%v", err)
	}
	l.want(len(r.Targets) > 0, "targets", "a rule needs a target")
	for _, name := range slices.Sorted(maps.Keys(r.Targets)) {
		key := "targets." + name
		l.want(nameForm.MatchString(name), key, "%q: want 1 to 64 letters, digits, _ or -", name)
		r.Targets[name].faults(&l, key)
	}
	return l
}

func (t Target) faults(l *list, key string) {
	t.Sink.faults(l, key, false)
	if t.Channel != "" {
		t.channelFaults(l, key)
	}
	given := 0
	for _, is := range []bool{t.Input != nil, t.InputPath != "", t.Transformer != nil} {
		if is {
			given++
		}
	}
	l.want(given <= 1, key, "input, input_path and transformer exclude each other")
	if _, err := encode(t.Input); err != nil {
		l.want(false, key+".input", "JSON cannot hold it: %v", err)
	}
	if t.InputPath != "" {
		_, err := parsePath(t.InputPath)
		l.want(err == nil, key+".input_path", "%v", err)
	}
	if t.Transformer != nil {
		for _, words := range t.Transformer.check() {
			l.want(false, key+".transformer", "%s", words)
		}
	}
	if n := t.Retry.attempts(); n < 0 || n > maxAttempts {
		l.want(false, key+".retry.attempts", "%d is not within 0 to %d", n, maxAttempts)
	}
	age := t.Retry.Age()
	l.want(minAge <= age && age <= maxAge, key+".retry.max_age", "%v is not within %v to %v", age, minAge, maxAge)
	if t.DeadLetter != nil {
		t.DeadLetter.faults(l, key+".dead_letter", true)
	}
}

// PatternText is the pattern as JSON.
func (r Rule) PatternText() ([]byte, error) {
	switch p := r.Pattern.(type) {
	case nil:
		return nil, fmt.Errorf("a pattern is required")
	case string:
		return []byte(p), nil
	}
	return encode(r.Pattern)
}

// A Set is the rules in force. It never changes.
type Set struct{ rules []compiled }

type compiled struct {
	name    string
	pattern *pattern.Pattern
	targets []string
}

// NewSet compiles rules that have no faults; those that are not enabled are
// left out.
func NewSet(rules []Rule) (*Set, error) {
	s := &Set{}
	for _, r := range rules {
		if r.Enabled != nil && !*r.Enabled {
			continue
		}
		text, err := r.PatternText()
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		p, err := pattern.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		s.rules = append(s.rules, compiled{r.Name, p, slices.Sorted(maps.Keys(r.Targets))})
	}
	return s, nil
}

// Empty reports that no event goes anywhere.
func (s *Set) Empty() bool { return len(s.rules) == 0 }

// A Delivery is one event on its way to one target.
type Delivery struct{ Rule, Target string }

// Deliveries gives the targets that the event goes to.
func (s *Set) Deliveries(event json.RawMessage) (out []Delivery, err error) {
	e, err := pattern.ReadEvent(event)
	if err != nil {
		return nil, err
	}
	for _, r := range s.rules {
		if !r.pattern.Matches(e) {
			continue
		}
		for _, t := range r.targets {
			out = append(out, Delivery{r.name, t})
		}
	}
	return out, nil
}

// ID names the delivery of the event: the same whenever it is begun again, so
// that it is begun once. It is a valid name of an execution.
func (d Delivery) ID(eventID string) string {
	short := func(s string) string { return s[:min(len(s), 20)] }
	return short(d.Rule) + "." + short(d.Target) + "." + uuid(d.Rule, d.Target, eventID)
}

// Payload is what the target is sent for the event.
func (t Target) Payload(rule string, event json.RawMessage) (json.RawMessage, error) {
	if t.Input != nil {
		return encode(t.Input)
	}
	if t.InputPath == "" && t.Transformer == nil {
		return event, nil
	}
	v, err := decode(event)
	if err != nil {
		return nil, err
	}
	escape := plain
	if t.Slack != nil {
		escape = slackSigns.Replace // the template may hold markup, the event none
	}
	if t.Transformer != nil {
		return t.Transformer.apply(v, rule, escape)
	}
	p, err := parsePath(t.InputPath)
	if err != nil {
		return nil, err
	}
	part, ok := p.find(v)
	if !ok {
		return nil, fmt.Errorf("the event has nothing at %s", t.InputPath)
	}
	if s, is := part.(string); is {
		part = escape(s)
	}
	return encode(part)
}

// slackSigns are those in which Slack sees links, mentions and calls to a
// channel.
var slackSigns = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
