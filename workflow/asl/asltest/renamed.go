package asltest

import (
	"encoding/json"
	"slices"
)

// original is the recorded history with the strings of the execution's input
// as they were: whoever recorded it wrote "table-name" for the table's name,
// in the input and wherever it shows up again.
func (c Case) original() []HistoryEvent {
	names := map[string]string{}
	for _, h := range c.History {
		if h.Type == "ExecutionStarted" {
			renames(value(h.Input), value(c.Input), names)
		}
	}
	out := slices.Clone(c.History)
	if len(names) == 0 {
		return out
	}
	for i := range out {
		out[i].Input, out[i].Output = restored(out[i].Input, names), restored(out[i].Output, names)
	}
	return out
}

// renames notes the strings that the recording shows as others.
func renames(shown, was any, names map[string]string) {
	switch shown := shown.(type) {
	case string:
		if was, ok := was.(string); ok && was != shown && !masked(shown) {
			names[shown] = was
		}
	case []any:
		list, _ := was.([]any)
		for i := range min(len(shown), len(list)) {
			renames(shown[i], list[i], names)
		}
	case map[string]any:
		object, _ := was.(map[string]any)
		for k := range shown {
			renames(shown[k], object[k], names)
		}
	}
}

func restored(raw json.RawMessage, names map[string]string) json.RawMessage {
	if raw == nil {
		return nil
	}
	out, _ := json.Marshal(restoredValue(value(raw), names))
	return out
}

func restoredValue(v any, names map[string]string) any {
	switch v := v.(type) {
	case string:
		if was, ok := names[v]; ok {
			return was
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = restoredValue(v[i], names)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = restoredValue(v[k], names)
		}
		return out
	}
	return v
}
