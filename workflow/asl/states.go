package asl

import (
	"fmt"
	"slices"
	"strings"
)

func (c *checker) state(at, name string, o map[string]any, depth int) *state {
	s := &state{name: name, kind: c.needText(at, o, "Type"), jsonata: c.queryLanguage(at, o)}
	f, ok := stateForm(s.kind)
	if !ok {
		if s.kind != "" {
			c.fault(at+"/Type", "there is no type of state %q", s.kind)
		}
		return s
	}
	known := f.namesIn(s.jsonata) // what else is there means nothing
	c.text(at, o, "Comment")
	c.next(at, o, s, known)
	c.data(at, o, s, known)
	if slices.Contains(known, "Retry") {
		s.retry = c.retriers(at, o)
		s.catch = c.catchers(at, o, s.jsonata)
	}
	c.kind(at, o, s, depth)
	return s
}

// data reads the fields that shape input, output and variables.
func (c *checker) data(at string, o map[string]any, s *state, known []string) {
	if !s.jsonata {
		s.inputPath, s.noInput = c.pathOrNull(at, o, "InputPath")
		s.outputPath, s.noOutput = c.pathOrNull(at, o, "OutputPath")
		s.resultPath, s.noResult = c.pathOrNull(at, o, "ResultPath")
	}
	for _, t := range []struct {
		field string
		into  *expr
	}{{"Parameters", &s.parameters}, {"Arguments", &s.parameters}, {"ItemSelector", &s.parameters}, {"ResultSelector", &s.selector}, {"Output", &s.output}} {
		if v, ok := o[t.field]; ok && slices.Contains(known, t.field) {
			*t.into = c.value(s.jsonata, pointer(at, t.field), t.field, v)
		}
	}
	if slices.Contains(known, "Assign") {
		s.assign = c.assignments(s.jsonata, at, "Assign", o)
	}
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
		s.wait = c.delay(at, o, s.jsonata, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")
		if s.wait.field == "" {
			c.fault(at, "one of Seconds, SecondsPath, Timestamp and TimestampPath is required")
		}
	case "Choice":
		s.otherwise = c.text(at, o, "Default")
		for i, rule := range c.objects(at, o, "Choices") {
			here := fmt.Sprintf("%s/Choices/%d", at, i)
			s.choices = append(s.choices, c.choice(here, fmt.Sprintf("Choices[%d]", i), rule, s.jsonata))
		}
		if len(s.choices) == 0 {
			c.fault(at, "the field Choices is required, with at least one rule")
		}
	case "Fail":
		s.errorName, s.errorField = c.failText(at, o, s.jsonata, "Error")
		s.cause, s.causeField = c.failText(at, o, s.jsonata, "Cause")
	case "Parallel":
		for i, branch := range c.objects(at, o, "Branches") {
			here := fmt.Sprintf("%s/Branches/%d", at, i)
			s.branches = append(s.branches, c.block(here, branch, depth+1))
		}
		if len(s.branches) == 0 {
			c.fault(at, "the field Branches is required, with at least one branch")
		}
	case "Map":
		c.mapState(at, o, s, depth)
	}
}

// tokenSuffix of a resource says that whoever has the token ends the task.
const tokenSuffix = ".waitForTaskToken"

func (c *checker) task(at string, o map[string]any, s *state) {
	s.resource, s.token = strings.CutSuffix(c.needText(at, o, "Resource"), tokenSuffix)
	s.sync = strings.HasSuffix(s.resource, ".sync") || strings.HasSuffix(s.resource, ".sync:2")
	s.timeout = c.delay(at, o, s.jsonata, "TimeoutSeconds", "TimeoutSecondsPath")
	s.heartbeat = c.delay(at, o, s.jsonata, "HeartbeatSeconds", "HeartbeatSecondsPath")
	for _, d := range []delay{s.timeout, s.heartbeat} {
		if d.field != "" && d.path == nil && d.query == nil && d.seconds == 0 {
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
func (c *checker) delay(at string, o map[string]any, jsonata bool, names ...string) (d delay) {
	for _, name := range names {
		v, ok := o[name]
		if !ok || jsonata && strings.HasSuffix(name, "Path") {
			continue
		}
		if d.field != "" {
			c.fault(pointer(at, name), "only one of %s and %s may be given", d.field, name)
			continue
		}
		d.field = name
		source, isQuery := querySource(v)
		switch {
		case jsonata && isQuery:
			d.query = c.query(pointer(at, name), name, source)
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
func (c *checker) failText(at string, o map[string]any, jsonata bool, name string) (expr, string) {
	_, has := o[name]
	byPath, hasPath := o[name+"Path"]
	switch {
	case has && hasPath:
		c.fault(at, "only one of %s and %sPath may be given", name, name)
	case has && jsonata:
		return c.value(true, pointer(at, name), name, c.text(at, o, name)), name
	case has:
		return literal{c.text(at, o, name)}, name
	case hasPath:
		return c.expression(pointer(at, name+"Path"), byPath), name + "Path"
	}
	return nil, name
}
