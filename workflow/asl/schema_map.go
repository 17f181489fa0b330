package asl

import (
	"cmp"
	"slices"
	"strings"
)

func mapForm(f *form) {
	f.fields = append(f.fields,
		field{"ItemProcessor", both, processor}, field{"Iterator", both, processor},
		field{"ItemsPath", pathOnly, definite}, field{"Items", jsonataOnly, items},
		field{"ItemSelector", both, template}, field{"Parameters", pathOnly, template},
		field{"MaxConcurrency", both, whole(0, maxNumber)}, field{"MaxConcurrencyPath", pathOnly, definite},
		field{"ToleratedFailureCount", both, whole(0, maxNumber)}, field{"ToleratedFailureCountPath", pathOnly, definite},
		field{"ToleratedFailurePercentage", both, numeric(0, 100)}, field{"ToleratedFailurePercentagePath", pathOnly, definite},
		field{"ItemReader", both, reader}, field{"ItemBatcher", both, object(batcherForm)},
		field{"ResultWriter", both, writer}, field{"Label", both, label})
	f.one = [][]string{{"ItemProcessor", "Iterator"}}
	f.only = [][]string{{"ItemSelector", "Parameters"}, {"MaxConcurrency", "MaxConcurrencyPath"},
		{"ToleratedFailureCount", "ToleratedFailureCountPath"}, {"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"}}
}

func configForm() form {
	return form{fields: []field{{"Mode", both, among("INLINE", "DISTRIBUTED")}, {"ExecutionType", both, among("STANDARD", "EXPRESS")}}}
}

func readerForm() form {
	return form{
		fields: []field{{"Resource", both, anOperation("getObject", "listObjectsV2")}, {"Parameters", pathOnly, template}, {"Arguments", jsonataOnly, template},
			{"ReaderConfig", both, object(readerConfigForm)}},
		required: []string{"Resource"},
	}
}

func readerConfigForm() form {
	return form{
		fields: []field{{"InputType", both, among("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST")}, {"Transformation", both, among("NONE", "LOAD_AND_FLATTEN")},
			{"CSVHeaderLocation", both, among("FIRST_ROW", "GIVEN")}, {"CSVHeaders", both, texts}, {"CSVDelimiter", both, among("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")},
			{"ManifestType", both, among("S3_INVENTORY", "ATHENA_DATA")}, {"ItemsPointer", both, jsonPointer},
			{"MaxItems", both, whole(0, maxItems)}, {"MaxItemsPath", pathOnly, definite}},
		only: [][]string{{"MaxItems", "MaxItemsPath"}},
	}
}

const maxItems = 100_000_000 // of a reader, as on AWS

func batcherForm() form {
	return form{
		fields: []field{{"MaxItemsPerBatch", both, whole(1, maxNumber)}, {"MaxItemsPerBatchPath", pathOnly, definite},
			{"MaxInputBytesPerBatch", both, whole(1, maxPayload)}, {"MaxInputBytesPerBatchPath", pathOnly, definite},
			{"BatchInput", both, template}},
		only: [][]string{{"MaxItemsPerBatch", "MaxItemsPerBatchPath"}, {"MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"}},
		some: [][]string{{"MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"}},
	}
}

func writerForm() form {
	return form{fields: []field{{"Resource", both, anOperation("putObject")}, {"Parameters", pathOnly, template}, {"Arguments", jsonataOnly, template},
		{"WriterConfig", both, object(writerConfigForm)}}}
}

func writerConfigForm() form {
	return form{fields: []field{{"Transformation", both, among("NONE", "COMPACT", "FLATTEN")}, {"OutputType", both, among("JSON", "JSONL")}}}
}

// anOperation is the ARN of one of the operations of a service.
func anOperation(names ...string) rule {
	return func(v *validator, n *node, s site) {
		if resource(v, n, site{}); n.kind == '"' && !slices.Contains(names, afterLast(n.text, ':')) {
			v.fault(n, codeSchema, "Value is not a valid resource ARN").Hint = "the operation must be " + strings.Join(names, " or ")
		}
	}
}

// reader is an ItemReader.
func reader(v *validator, n *node, s site) {
	object(readerForm)(v, n, s)
	config := n.member("ReaderConfig")
	given := func(name string) string {
		if m := config.member(name); m != nil {
			return m.text
		}
		return ""
	}
	if r := n.member("Resource"); r != nil && afterLast(r.text, ':') == "getObject" && given("InputType") == "" {
		v.missing(cmp.Or(config, n), "InputType")
	}
	if config != nil && given("CSVHeaderLocation") == "GIVEN" && config.member("CSVHeaders") == nil {
		v.missing(config, "CSVHeaders")
	}
}

// writer is a ResultWriter: where it writes, or how the results are formed.
func writer(v *validator, n *node, s site) {
	object(writerForm)(v, n, s)
	arguments := "Parameters"
	if s.jsonata {
		arguments = "Arguments"
	}
	switch to := n.member("Resource"); {
	case to != nil && n.member(arguments) == nil:
		v.missing(n, arguments)
	case to == nil && n.member("WriterConfig") == nil:
		v.missing(n, "Resource")
	}
}

func (v *validator) missing(n *node, name string) {
	v.fault(n, codeSchema, "These fields are required: ["+name+"]")
}
