package asl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing that is wrong with a definition.
type Fault struct {
	Pointer  string // JSON pointer (RFC 6901) of the place; empty is the whole
	Line     int    // of the text, from 1
	Column   int    // in characters, from 1
	Code     string // AWS's, such as SCHEMA_VALIDATION_FAILED
	Message  string // in AWS's words where they are known
	Hint     string // what the message leaves open; may be empty
	Location string // AWS's name of the place: /States/A/Retry[0]; may be empty
	Warning  bool   // the definition works nevertheless

	offset int
}

func (f Fault) Error() string {
	message := strings.TrimRight(f.Message, " ")
	if f.Hint != "" {
		message += " (" + f.Hint + ")"
	}
	if f.Pointer == "" {
		return message
	}
	return f.Pointer + ": " + message
}

// Faults are all that is wrong with a definition.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return "the definition is not valid:\n  " + strings.Join(lines, "\n  ")
}

// Permanent tells whoever retries not to.
func (f Faults) Permanent() bool { return true }

// Errors are the faults without the warnings.
func (f Faults) Errors() (out Faults) {
	for _, fault := range f {
		if !fault.Warning {
			out = append(out, fault)
		}
	}
	return out
}

// ByPlace gives the faults in the order of the text.
func (f Faults) ByPlace() Faults {
	out := slices.Clone(f)
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// AWS says all errors of a definition in one sentence, as CreateStateMachine
// does. It is empty if there are none.
func (f Faults) AWS() string {
	var parts []string
	for _, fault := range f.Errors() {
		location := fault.Location
		if location == "" {
			location = "null"
		}
		parts = append(parts, fmt.Sprintf("%s: %s at %s", fault.Code, fault.Message, location))
	}
	if parts == nil {
		return ""
	}
	return "Invalid State Machine Definition: '" + strings.Join(parts, ", ") + "'"
}

// A Diagnostic is a fault in the form of AWS's ValidateStateMachineDefinition.
type Diagnostic struct {
	Severity string `json:"severity"` // ERROR or WARNING
	Code     string `json:"code"`
	Message  string `json:"message"`
	Location string `json:"location,omitempty"`
}

// A Validation is the answer of AWS's ValidateStateMachineDefinition.
type Validation struct {
	Result      string       `json:"result"` // OK or FAIL; warnings alone are OK
	Diagnostics []Diagnostic `json:"diagnostics"`
	Truncated   bool         `json:"truncated"`
}

// Validation gives at most limit diagnostics.
func (f Faults) Validation(limit int) Validation {
	v := Validation{Result: "OK", Diagnostics: []Diagnostic{}}
	for _, fault := range f {
		severity := "ERROR"
		if fault.Warning {
			severity = "WARNING"
		} else {
			v.Result = "FAIL"
		}
		if len(v.Diagnostics) == limit {
			v.Truncated = true
			continue
		}
		v.Diagnostics = append(v.Diagnostics, Diagnostic{severity, fault.Code, fault.Message, fault.Location})
	}
	return v
}

// AWS's codes of what is wrong with a definition.
const (
	codeSchema         = "SCHEMA_VALIDATION_FAILED"
	codeJSON           = "INVALID_JSON_DESCRIPTION"
	codeEmpty          = "MISSING_DESCRIPTION"
	codeResource       = "INVALID_RESOURCE"
	codeEnd            = "MISSING_END_STATE"
	codeDuplicateState = "DUPLICATE_STATE_NAME"
	codeStateName      = "INVALID_STATE_NAME"
	codeDuplicateLabel = "DUPLICATE_LABEL_NAME"
	codeLabel          = "INVALID_LABEL_NAME"
	codeTarget         = "MISSING_TRANSITION_TARGET"
	codeDepth          = "TOO_DEEPLY_NESTED"
	codeJSONata        = "INVALID_JSONATA_EXPRESSION"
	codeTopLevel       = "UNSUPPORTED_JSONATA_EXPRESSION"
	codeNoDollar       = "NO_DOLLAR"
	codeNoPath         = "NO_PATH"
	codeStatic         = "PASS_RESULT_IS_STATIC"
	codeErrorName      = "UNKNOWN_ERROR_NAME" // ours
	codeTwice          = "DUPLICATE_FIELD"    // ours: JSON's last one wins
)
