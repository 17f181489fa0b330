package asl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// fields gives what a state of the kind may have; nil for no kind.
func fields(kind string) []string {
	path := []string{"Type", "Comment", "QueryLanguage", "InputPath", "OutputPath", "Next", "End"}
	with := func(more ...string) []string { return slices.Concat(path, more) }
	switch kind {
	case "Task":
		return with("Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath", "Credentials")
	case "Parallel":
		return with("Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "Branches")
	case "Map":
		return with("Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "ItemProcessor", "Iterator", "ItemsPath", "ItemSelector", "MaxConcurrency", "MaxConcurrencyPath", "ItemReader", "ItemBatcher", "ResultWriter", "Label",
			"ToleratedFailurePercentage", "ToleratedFailurePercentagePath", "ToleratedFailureCount", "ToleratedFailureCountPath")
	case "Pass":
		return with("Parameters", "ResultPath", "Result")
	case "Wait":
		return with("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
	case "Choice":
		return []string{"Type", "Comment", "QueryLanguage", "InputPath", "OutputPath", "Choices", "Default"}
	case "Succeed":
		return []string{"Type", "Comment", "QueryLanguage", "InputPath", "OutputPath"}
	case "Fail":
		return []string{"Type", "Comment", "QueryLanguage", "Error", "ErrorPath", "Cause", "CausePath"}
	}
	return nil
}

// later are fields of the language that this interpreter does not have yet.
func later(field string) bool {
	return slices.Contains([]string{"Assign", "Arguments", "Output", "Items"}, field)
}

func (c *checker) state(at, name string, o map[string]any, depth int) *state {
	s := &state{name: name, kind: c.needText(at, o, "Type")}
	known := fields(s.kind)
	if known == nil {
		if s.kind != "" {
			c.fault(at+"/Type", "there is no type of state %q", s.kind)
		}
		return s
	}
	for key := range o {
		if later(key) && !slices.Contains(known, key) {
			c.unsupported(pointer(at, key), "the field is not supported yet")
		} else if !slices.Contains(known, key) {
			c.fault(pointer(at, key), "the field is not known in a %s state", s.kind)
		}
	}
	c.queryLanguage(at, o)
	c.text(at, o, "Comment")
	c.next(at, o, s, known)
	s.inputPath, s.noInput = c.pathOrNull(at, o, "InputPath")
	s.outputPath, s.noOutput = c.pathOrNull(at, o, "OutputPath")
	s.resultPath, s.noResult = c.pathOrNull(at, o, "ResultPath")
	for _, t := range []struct {
		field string
		into  *expr
	}{{"Parameters", &s.parameters}, {"ItemSelector", &s.parameters}, {"ResultSelector", &s.selector}} {
		if v, ok := o[t.field]; ok && slices.Contains(known, t.field) {
			*t.into = c.template(pointer(at, t.field), v)
		}
	}
	if slices.Contains(known, "Retry") {
		s.retry = c.retriers(at, o)
		s.catch = c.catchers(at, o)
	}
	c.kind(at, o, s, depth)
	return s
}

// next reads Next and End, of which exactly one must be there.
func (c *checker) next(at string, o map[string]any, s *state, known []string) {
	if !slices.Contains(known, "Next") {
		return
	}
	s.next = c.text(at, o, "Next")
	end, isBool := o["End"].(bool)
	if o["End"] != nil && !isBool {
		c.fault(at+"/End", "the value must be true or false")
	}
	if _, has := o["Next"]; has == end {
		c.fault(at, "exactly one of Next and End: true is required")
	}
}

// kind reads what only states of one kind have.
func (c *checker) kind(at string, o map[string]any, s *state, depth int) {
	switch s.kind {
	case "Task":
		c.task(at, o, s)
	case "Pass":
		if v, ok := o["Result"]; ok {
			s.result = literal{v}
		}
	case "Wait":
		s.wait = c.delay(at, o, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")
		if s.wait.field == "" {
			c.fault(at, "one of Seconds, SecondsPath, Timestamp and TimestampPath is required")
		}
	case "Choice":
		s.otherwise = c.text(at, o, "Default")
		for i, rule := range c.objects(at, o, "Choices") {
			here := fmt.Sprintf("%s/Choices/%d", at, i)
			s.choices = append(s.choices, choice{c.rule(here, rule, true, 0), c.needText(here, rule, "Next")})
		}
		if len(s.choices) == 0 {
			c.fault(at, "the field Choices is required, with at least one rule")
		}
	case "Fail":
		s.errorName, s.errorField = c.failText(at, o, "Error")
		s.cause, s.causeField = c.failText(at, o, "Cause")
	case "Parallel":
		for i, branch := range c.objects(at, o, "Branches") {
			here := fmt.Sprintf("%s/Branches/%d", at, i)
			c.known(here, branch, "Comment", "StartAt", "States")
			s.branches = append(s.branches, c.block(here, branch, depth+1))
		}
		if len(s.branches) == 0 {
			c.fault(at, "the field Branches is required, with at least one branch")
		}
	case "Map":
		c.mapState(at, o, s, depth)
	}
}

func (c *checker) task(at string, o map[string]any, s *state) {
	s.resource, s.token = strings.CutSuffix(c.needText(at, o, "Resource"), ".waitForTaskToken")
	s.timeout = c.delay(at, o, "TimeoutSeconds", "TimeoutSecondsPath")
	s.heartbeat = c.delay(at, o, "HeartbeatSeconds", "HeartbeatSecondsPath")
	for _, d := range []delay{s.timeout, s.heartbeat} {
		if d.field != "" && d.path == nil && d.seconds == 0 {
			c.fault(pointer(at, d.field), "the value must be a whole number from 1 to %d", maxNumber)
		}
	}
	if s.timeout.seconds > 0 && s.heartbeat.seconds >= s.timeout.seconds {
		c.fault(at+"/HeartbeatSeconds", "the value must be less than TimeoutSeconds")
	}
	if credentials, ok := o["Credentials"].(map[string]any); o["Credentials"] != nil && (!ok || credentials["RoleArn"] == nil && credentials["RoleArn.$"] == nil) {
		c.fault(at+"/Credentials", "the field RoleArn is required")
	}
}

// delay reads at most one of the named fields.
func (c *checker) delay(at string, o map[string]any, names ...string) (d delay) {
	for _, name := range names {
		if _, ok := o[name]; !ok {
			continue
		}
		if d.field != "" {
			c.fault(pointer(at, name), "only one of %s and %s may be given", d.field, name)
			continue
		}
		d.field = name
		switch {
		case strings.HasSuffix(name, "Path"):
			d.path = c.path(at, o, name)
		case name == "Timestamp":
			text := c.text(at, o, name)
			t, ok := timestamp(text)
			if !ok {
				c.fault(pointer(at, name), "String does not match RFC3339 timestamp")
			}
			d.at = t
		default:
			d.seconds = c.integer(at, o, name, 0, 0)
		}
	}
	return d
}

// failText reads Error or ErrorPath, Cause or CausePath.
func (c *checker) failText(at string, o map[string]any, name string) (expr, string) {
	_, has := o[name]
	byPath, hasPath := o[name+"Path"]
	switch {
	case has && hasPath:
		c.fault(at, "only one of %s and %sPath may be given", name, name)
	case has:
		return literal{c.text(at, o, name)}, name
	case hasPath:
		return c.expression(pointer(at, name+"Path"), byPath), name + "Path"
	}
	return nil, name
}

func (c *checker) retriers(at string, o map[string]any) (out []retrier) {
	list := c.objects(at, o, "Retry")
	for i, r := range list {
		here := fmt.Sprintf("%s/Retry/%d", at, i)
		c.known(here, r, "Comment", "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy")
		t := retrier{
			errors:   c.errorEquals(here, r, i == len(list)-1),
			interval: float64(c.integer(here, r, "IntervalSeconds", 1, 1)),
			attempts: c.integer(here, r, "MaxAttempts", 0, 3),
			most:     float64(c.integer(here, r, "MaxDelaySeconds", 1, 0)),
			rate:     2,
			jitter:   r["JitterStrategy"] == "FULL",
		}
		if v, ok := r["BackoffRate"]; ok {
			n, _ := v.(json.Number)
			if t.rate = toFloat(n); t.rate < 1 {
				c.fault(here+"/BackoffRate", "the value must be a number of at least 1.0")
			}
		}
		if v, ok := r["JitterStrategy"]; ok && v != "FULL" && v != "NONE" {
			c.fault(here+"/JitterStrategy", "the value must be FULL or NONE")
		}
		out = append(out, t)
	}
	return out
}

func (c *checker) catchers(at string, o map[string]any) (out []catcher) {
	list := c.objects(at, o, "Catch")
	for i, r := range list {
		here := fmt.Sprintf("%s/Catch/%d", at, i)
		for key := range r {
			switch {
			case later(key):
				c.unsupported(pointer(here, key), "the field is not supported yet")
			case !slices.Contains([]string{"Comment", "ErrorEquals", "Next", "ResultPath"}, key):
				c.fault(pointer(here, key), "the field is not known in a catcher")
			}
		}
		t := catcher{errors: c.errorEquals(here, r, i == len(list)-1), next: c.needText(here, r, "Next")}
		t.resultPath, t.noResult = c.pathOrNull(here, r, "ResultPath")
		out = append(out, t)
	}
	return out
}

func (c *checker) errorEquals(at string, o map[string]any, last bool) (out []string) {
	list, _ := o["ErrorEquals"].([]any)
	if len(list) == 0 {
		c.fault(at, "the field ErrorEquals is required, a list of at least one error name")
	}
	for i, v := range list {
		name, ok := v.(string)
		if !ok {
			c.fault(fmt.Sprintf("%s/ErrorEquals/%d", at, i), "the name of an error must be a string")
		}
		if name == errAll && (len(list) > 1 || !last) {
			c.fault(fmt.Sprintf("%s/ErrorEquals/%d", at, i), "States.ALL must stand alone and in the last place")
		}
		out = append(out, name)
	}
	return out
}
