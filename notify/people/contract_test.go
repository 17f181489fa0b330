package people

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What receivers of a webhook get is what the schema says, and the schema can
// say no.
func TestContract(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("../../docs/messages/people.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	l := builtInTest(t)
	for _, m := range append(samples(), message(1), evil()) {
		b, err := l.JSON(m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		for _, field := range []string{"key", "severity", "title", "at"} {
			var less map[string]any
			if err := json.Unmarshal(b, &less); err != nil {
				t.Fatal(err)
			}
			delete(less, field)
			if schema.Validate(less) == nil {
				t.Errorf("a %s without %s is accepted", m.Kind, field)
			}
		}
	}
}
