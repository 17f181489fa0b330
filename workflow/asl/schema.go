package asl

import (
	"slices"
)

// A form is what an object of a definition may hold. States' forms are in
// stateForm; the forms of what is inside them beside it.
type form struct {
	fields   []field
	required []string   // AWS names them in this order
	only     [][]string // of each group at most one
	one      [][]string // of each group exactly one
	some     [][]string // of each group at least one
}

// A field may be there in both query languages or only in one of them.
type field struct {
	name string
	in   language
	rule rule
}

type language uint8

const (
	both language = iota
	pathOnly
	jsonataOnly
)

// has reports whether the field is there in the query language.
func (l language) has(jsonata bool) bool {
	return l == both || (l == jsonataOnly) == jsonata
}

func (l language) String() string {
	if l == jsonataOnly {
		return "JSONata"
	}
	return "JSONPath"
}

// namesIn gives the fields that are there in the query language.
func (f form) namesIn(jsonata bool) (out []string) {
	for _, field := range f.fields {
		if field.in.has(jsonata) {
			out = append(out, field.name)
		}
	}
	return out
}

// A site is what rules may know about where a value stands.
type site struct {
	jsonata bool // the query language of the state
	express bool // the machine, or the children of the Map, are EXPRESS
	kind    string
	depth   int                // of blocks
	result  bool               // $states.result is there
	failure bool               // $states.errorOutput is there
	outer   *names             // the variables of around
	into    *map[string][]edge // the transitions of the block, once they were asked for
}

// A rule reports what is wrong with a value.
type rule func(v *validator, n *node, s site)

// stateForm gives the fields of a type of state; ok if there is such a type.
func stateForm(kind string) (f form, ok bool) {
	f.fields = []field{{"Type", both, text}, {"Comment", both, text}, {"QueryLanguage", both, anything}}
	add := func(more ...field) { f.fields = append(f.fields, more...) }
	io := []field{{"InputPath", pathOnly, pathOrNull}, {"OutputPath", pathOnly, pathOrNull}, {"Output", jsonataOnly, resultTemplate}, {"Assign", both, assignment}}
	next := []field{{"Next", both, text}, {"End", both, flag}}
	caught := []field{{"Retry", both, list(retrierForm, false)}, {"Catch", both, list(catcherForm, false)}}
	result := []field{{"ResultSelector", pathOnly, template}, {"ResultPath", pathOnly, reference}}
	switch kind {
	case "Task":
		add(slices.Concat(io, next, caught, result)...)
		add(field{"Resource", both, resource}, field{"Parameters", pathOnly, template}, field{"Arguments", jsonataOnly, template},
			field{"TimeoutSeconds", both, whole(1, maxNumber)}, field{"TimeoutSecondsPath", pathOnly, definite},
			field{"HeartbeatSeconds", both, whole(1, maxNumber)}, field{"HeartbeatSecondsPath", pathOnly, definite},
			field{"Credentials", both, credentials})
		f.required = []string{"Resource"}
		f.only = [][]string{{"TimeoutSeconds", "TimeoutSecondsPath"}, {"HeartbeatSeconds", "HeartbeatSecondsPath"}}
	case "Pass":
		add(slices.Concat(io, next)...)
		add(field{"Result", pathOnly, static}, field{"ResultPath", pathOnly, reference}, field{"Parameters", pathOnly, template})
	case "Wait":
		add(slices.Concat(io, next)...)
		add(field{"Seconds", both, whole(0, maxNumber)}, field{"SecondsPath", pathOnly, definite},
			field{"Timestamp", both, moment}, field{"TimestampPath", pathOnly, definite})
		f.one = [][]string{{"Seconds", "SecondsPath", "Timestamp", "TimestampPath"}}
	case "Choice":
		add(io...)
		add(field{"Choices", both, choices}, field{"Default", both, text})
		f.required = []string{"Choices"}
	case "Succeed":
		add(io[:3]...)
	case "Fail":
		add(field{"Error", both, failText}, field{"ErrorPath", pathOnly, pathOrCall}, field{"Cause", both, failText}, field{"CausePath", pathOnly, pathOrCall})
		f.only = [][]string{{"Error", "ErrorPath"}, {"Cause", "CausePath"}}
	case "Parallel":
		add(slices.Concat(io, next, caught, result)...)
		add(field{"Parameters", pathOnly, template}, field{"Arguments", jsonataOnly, template}, field{"Branches", both, branches})
		f.required = []string{"Branches"}
	case "Map":
		add(slices.Concat(io, next, caught, result)...)
		mapForm(&f)
	default:
		return f, false
	}
	return f, true
}

func machineForm() form {
	return form{
		fields: []field{{"Comment", both, text}, {"StartAt", both, text}, {"States", both, anything}, {"Version", both, version},
			{"TimeoutSeconds", both, whole(1, maxNumber)}, {"QueryLanguage", both, anything}},
		required: []string{"States", "StartAt"},
	}
}

// blockForm is that of a branch, and of an ItemProcessor or Iterator.
func blockForm(more ...field) form {
	return form{
		fields:   append([]field{{"Comment", both, text}, {"StartAt", both, text}, {"States", both, anything}}, more...),
		required: []string{"States", "StartAt"},
	}
}

func retrierForm() form {
	return form{
		fields: []field{{"ErrorEquals", both, errorNames}, {"IntervalSeconds", both, whole(1, maxNumber)}, {"MaxAttempts", both, whole(0, maxNumber)},
			{"BackoffRate", both, numeric(1, maxNumber)}, {"MaxDelaySeconds", both, whole(1, 31_622_399)},
			{"JitterStrategy", both, among("FULL", "NONE")}, {"Comment", both, text}},
		required: []string{"ErrorEquals"},
	}
}

func catcherForm() form {
	return form{
		fields: []field{{"ErrorEquals", both, errorNames}, {"Next", both, text}, {"ResultPath", pathOnly, reference},
			{"Output", jsonataOnly, failureTemplate}, {"Assign", both, failureAssignment}, {"Comment", both, text}},
		required: []string{"ErrorEquals", "Next"},
	}
}
