package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpus reads one file of the recorded truth, or skips.
func corpus(t testing.TB, name string, into any) {
	t.Helper()
	folder := os.Getenv("INSPECTOR_CORPORA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the corpora are not here: %v; set INSPECTOR_CORPORA to their folder", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

type recorded struct {
	Name       string
	Definition json.RawMessage
	Input      json.RawMessage
	Status     Status            `json:"expected_status"`
	Output     json.RawMessage   `json:"expected_output"`
	Error      *string           `json:"expected_error"`
	Cause      any               `json:"expected_cause"` // text, or what the text held if that was JSON
	Wildcards  []string          `json:"output_wildcards"`
	Handlers   map[string]string `json:"task_handlers"`
	Resources  []string          `json:"task_resources"`
	History    []struct{ Type, Name string }
}

// TestConformance runs what was recorded on AWS: level 1 is status, error name
// and output, level 2 the text of the cause, level 3 the order of the history.
func TestConformance(t *testing.T) {
	for _, file := range []struct {
		name  string
		floor float64 // of level 1, in per cent of what was run
	}{{"cases.json", 100}, {"cases_task.json", 100}} {
		t.Run(file.name, func(t *testing.T) {
			var cases []recorded
			corpus(t, filepath.Join("asl-localstack", file.name), &cases)
			var ran, level1, level2, level3, causes, histories int
			skipped := map[string]int{}
			for _, c := range cases {
				m, why := supported(t, c)
				if why != "" {
					skipped[why]++
					continue
				}
				ran++
				d := newDriver(t, m, lambda(c.Handlers))
				d.run(string(c.Input), 10_000)
				if fault := c.outcome(&d.x); fault != "" {
					t.Logf("level 1: %s: %s\n  %s\n  input %s", c.Name, fault, c.Definition, c.Input)
					continue
				}
				level1++
				if c.Cause != nil {
					causes++
					if c.sameCause(d.x.Cause()) {
						level2++
					} else {
						t.Logf("level 2: %s:\n  have %s\n  want %s", c.Name, d.x.Cause(), c.Cause)
					}
				}
				if len(c.History) > 0 {
					histories++
					if have := historyOf(d.history); slices.Equal(have, c.historyTypes()) {
						level3++
					} else {
						t.Logf("level 3: %s:\n  have %v\n  want %v", c.Name, have, c.historyTypes())
					}
				}
			}
			t.Logf("%s: %d cases, ran %d, skipped %v", file.name, len(cases), ran, skipped)
			t.Logf("level 1 %d/%d, level 2 %d/%d, level 3 %d/%d", level1, ran, level2, causes, level3, histories)
			if got := 100 * float64(level1) / float64(ran); got < file.floor {
				t.Errorf("level 1: %.1f %%, want at least %.1f %%", got, file.floor)
			}
		})
	}
}

// supported parses the definition; why says what this interpreter lacks.
func supported(t *testing.T, c recorded) (m *Machine, why string) {
	m, err := Parse(c.Definition)
	var faults Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			if f.Unsupported {
				return nil, f.Message
			}
		}
		t.Errorf("%s: AWS accepts it: %v", c.Name, err)
		return nil, "refused"
	}
	for _, r := range c.Resources {
		if !strings.HasPrefix(r, "arn:aws:lambda:") && r != "arn:aws:states:::lambda:invoke" {
			return nil, "another service answers"
		}
	}
	return m, ""
}

// lambda answers as the recorded functions did.
func lambda(handlers map[string]string) func(Command) Event {
	return func(c Command) Event {
		function := c.Resource
		input := c.Input
		wrapped := c.Resource == "arn:aws:states:::lambda:invoke"
		if wrapped {
			var p struct {
				FunctionName string
				Payload      json.RawMessage
			}
			_ = json.Unmarshal(c.Input, &p)
			function, input = p.FunctionName, p.Payload
		}
		out := json.RawMessage("null")
		fail := func(name, message string) Event {
			cause, _ := json.Marshal(map[string]any{"errorMessage": message, "errorType": name, "requestId": "r", "stackTrace": []string{}})
			return Event{Kind: Failed, Error: name, Cause: string(cause)}
		}
		handler, ok := handlers[function]
		for _, only := range handlers { // the input may hold the function's short name
			if len(handlers) == 1 && !ok && !strings.Contains(function, "no_such") {
				handler = only
			}
		}
		switch name := strings.TrimSuffix(filepath.Base(handler), ".py"); name {
		case ".":
			if !strings.Contains(function, "no_such") {
				break // mocked: null
			}
			return Event{Kind: Failed, Error: "Lambda.ResourceNotFoundException", Cause: "Function not found: " + function}
		case "id_function":
			out = input
		case "echo_function":
			out = json.RawMessage(`{"Return":"HelloWorld"}`)
		case "raise_exception":
			return fail("Exception", "Some exception was raised.")
		case "raise_custom_exception":
			return fail("CustomException", "CustomException message")
		case "wait_60_seconds":
			return Event{Kind: Failed, Error: "States.Timeout"}
		case "large_output_string":
			out, _ = json.Marshal(strings.Repeat("a", 257*1024))
		case "return_bytes_str":
			out = json.RawMessage(`"HelloWorld!"`)
		}
		if wrapped {
			out = json.RawMessage(fmt.Sprintf(`{"ExecutedVersion":"$LATEST","Payload":%s,"StatusCode":200,"SdkHttpMetadata":{},"SdkResponseMetadata":{}}`, out))
		}
		return Event{Kind: Succeeded, Output: out}
	}
}

// outcome is what differs at level 1.
func (c recorded) outcome(x *Execution) string {
	name := ""
	if c.Error != nil {
		name = *c.Error
	}
	if x.Status() != c.Status || masked(name) == "" && x.Error() != name {
		return fmt.Sprintf("ended %s %s (%s), want %s %s", x.Status(), x.Error(), x.Cause(), c.Status, name)
	}
	if c.Status != StatusSucceeded {
		return ""
	}
	have, _ := decode(x.Output())
	want, _ := decode(c.Output)
	if !alike(want, have, "", c.Wildcards) {
		return fmt.Sprintf("gave %s, want %s", x.Output(), c.Output)
	}
	return ""
}

// masked is the text if the recording hides it: <uuid>, <arn…>.
func masked(s string) string {
	if maskedText.MatchString(s) {
		return s
	}
	return ""
}

var maskedText = regexp.MustCompile(`<[A-Za-z][^<>]*>`)

func alike(want, have any, at string, wildcards []string) bool {
	if slices.Contains(wildcards, at) || strings.HasSuffix(at, "/SdkHttpMetadata") || strings.HasSuffix(at, "/SdkResponseMetadata") {
		return true
	}
	switch want := want.(type) {
	case string:
		if masked(want) != "" {
			_, ok := have.(string)
			return ok
		}
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !alike(want[i], list[i], at+"/"+strconv.Itoa(i), wildcards) {
				return false
			}
		}
		return true
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for k := range want {
			v, ok := object[k]
			if _, isText := v.(string); isText && k == "Cause" && wordsOfHandler(want[k]) {
				continue
			}
			if !ok || !alike(want[k], v, pointer(at, k), wildcards) {
				return false
			}
		}
		return true
	}
	return equal(want, have)
}

// wordsOfHandler says that a cause is the function's, not the interpreter's.
func wordsOfHandler(cause any) bool {
	s, _ := cause.(string)
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "Function not found")
}

func (c recorded) sameCause(have string) bool {
	want, ok := c.Cause.(string)
	if !ok {
		return true // the function's own words, with its request
	}
	if masked(want) == "" {
		return want == have
	}
	parts := maskedText.Split(want, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(have)
}

func (c recorded) historyTypes() (out []string) {
	for _, h := range c.History {
		out = append(out, strings.TrimSuffix(h.Type+" "+h.Name, " "))
	}
	return out
}

func historyOf(events []HistoryEvent) (out []string) {
	for _, h := range events {
		name := h.Name
		if !strings.Contains(h.Type, "StateE") && !strings.HasPrefix(h.Type, "MapIteration") && h.Type != "MapRunStarted" {
			name = ""
		}
		out = append(out, strings.TrimSuffix(h.Type+" "+name, " "))
	}
	return out
}
