package rule

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A Transformer makes of an event what the target is sent, as EventBridge's
// input transformer does.
type Transformer struct {
	Paths    map[string]string `yaml:"paths"`    // name of a variable: its JSON path in the event
	Template string            `yaml:"template"` // JSON, or a text, with <variable>
}

var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)

// The variables that every template has.
const (
	varRule     = "aws.events.rule-name"
	varRuleARN  = "aws.events.rule-arn"
	varIngested = "aws.events.event.ingestion-time"
	varEvent    = "aws.events.event"      // without its detail
	varJSON     = "aws.events.event.json" // all of it
)

// check reports every fault.
func (t Transformer) check() (out []string) {
	for name, p := range t.Paths {
		if strings.HasPrefix(name, "aws.") || !placeholder.MatchString("<"+name+">") {
			out = append(out, fmt.Sprintf("variable %q: want letters, digits and any of _.-, not beginning with aws.", name))
		}
		if _, err := parsePath(p); err != nil {
			out = append(out, err.Error())
		}
	}
	if strings.TrimSpace(t.Template) == "" {
		return append(out, "a template is required")
	}
	for _, m := range placeholder.FindAllStringSubmatch(t.Template, -1) {
		_, ok := t.Paths[m[1]]
		switch m[1] {
		case varRule, varRuleARN, varIngested, varEvent, varJSON:
			ok = true
		}
		if !ok {
			out = append(out, fmt.Sprintf("<%s> is no variable: name its path in paths", m[1]))
		}
	}
	if _, err := decode(t.fill(func(string) (any, bool) { return "x", true })); err != nil && t.structured() {
		out = append(out, fmt.Sprintf("the template is no JSON once its variables are filled in: %v", err))
	}
	return out
}

// structured tells a template of JSON from a text.
func (t Transformer) structured() bool {
	s := strings.TrimSpace(t.Template)
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")
}

// apply fills the template in; the texts of the event are escaped. A text
// becomes a JSON string.
func (t Transformer) apply(event any, rule string, escape func(string) string) (json.RawMessage, error) {
	out := t.fill(func(name string) (any, bool) {
		v, ok := t.variable(event, rule, name)
		return escapeAll(v, escape), ok
	})
	if _, err := decode(out); err != nil {
		return nil, fmt.Errorf("the template gives no JSON for this event: %w", err)
	}
	return out, nil
}

func (t Transformer) variable(event any, rule, name string) (any, bool) {
	fields, _ := event.(map[string]any)
	switch name {
	case varRule:
		return rule, true
	case varRuleARN:
		return fmt.Sprintf("arn:aws:events:%v:%v:rule/%s", fields["region"], fields["account"], rule), true
	case varIngested:
		return fields["time"], true
	case varJSON:
		return event, true
	case varEvent:
		brief := map[string]any{}
		for k, v := range fields {
			if k != "detail" {
				brief[k] = v
			}
		}
		return brief, true
	}
	p, err := parsePath(t.Paths[name])
	if err != nil {
		return nil, false
	}
	return p.find(event)
}

// fill puts values in place of variables. In JSON a variable outside of quotes
// becomes the value itself, an empty string if there is none; within quotes,
// and in a text, it becomes the value's words.
func (t Transformer) fill(value func(name string) (any, bool)) json.RawMessage {
	template := strings.TrimSpace(t.Template)
	if !t.structured() {
		if unquoted := (*string)(nil); json.Unmarshal([]byte(template), &unquoted) == nil && unquoted != nil {
			template = *unquoted
		}
		whole, _ := encode(placeholder.ReplaceAllStringFunc(template, func(m string) string { // a string encodes
			v, ok := value(m[1 : len(m)-1])
			return words(v, ok)
		}))
		return whole
	}
	var b strings.Builder
	quoted, from := false, 0
	for _, at := range placeholder.FindAllStringIndex(template, -1) {
		before := template[from:at[0]]
		quoted = quoted != oddQuotes(before)
		b.WriteString(before)
		v, ok := value(template[at[0]+1 : at[1]-1])
		b.WriteString(inJSON(v, ok, quoted))
		from = at[1]
	}
	b.WriteString(template[from:])
	return json.RawMessage(b.String())
}

// escapeAll gives a copy of v with escape applied to its texts, names included.
func escapeAll(v any, escape func(string) string) any {
	switch v := v.(type) {
	case string:
		return escape(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = escapeAll(v[i], escape)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, of := range v {
			out[escape(name)] = escapeAll(of, escape)
		}
		return out
	}
	return v
}

// oddQuotes reports whether s begins or ends a string of JSON.
func oddQuotes(s string) (odd bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			odd = !odd
		}
	}
	return odd
}

func inJSON(v any, ok, quoted bool) string {
	if !ok && !quoted {
		return `""`
	}
	if quoted {
		v = words(v, ok)
	}
	b, err := encode(v)
	if err != nil {
		return "null"
	}
	if quoted {
		b = b[1 : len(b)-1]
	}
	return string(b)
}

// words is a value within a text: AWS leaves out the quotes of objects, too.
func words(v any, ok bool) string {
	if s, is := v.(string); is || !ok {
		return s
	}
	b, err := encode(v)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(b), `"`, "")
}
