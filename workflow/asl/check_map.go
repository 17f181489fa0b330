package asl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func (c *checker) mapState(at string, o map[string]any, s *state, depth int) {
	if _, ok := o["Parameters"]; ok && o["ItemSelector"] != nil {
		c.fault(at, "only one of Parameters and ItemSelector may be given")
	}
	name := "ItemProcessor"
	if _, ok := o["Iterator"]; ok {
		name = "Iterator"
	}
	if o["ItemProcessor"] != nil && o["Iterator"] != nil {
		c.fault(at, "only one of ItemProcessor and Iterator may be given")
	}
	processor, ok := o[name].(map[string]any)
	if !ok {
		c.fault(at, "the field ItemProcessor is required, an object")
		return
	}
	here := pointer(at, name)
	c.known(here, processor, "Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage")
	c.processorConfig(here+"/ProcessorConfig", processor, s)
	s.branches = []*block{c.block(here, processor, depth+1)}
	s.items = c.path(at, o, "ItemsPath")
	s.concurrency = c.setting(at, o, "MaxConcurrency")
	s.tolerated = [2]setting{c.setting(at, o, "ToleratedFailureCount"), c.setting(at, o, "ToleratedFailurePercentage")}
	if s.distributed == nil {
		for _, field := range []string{"ItemReader", "ItemBatcher", "ResultWriter", "Label"} {
			if _, ok := o[field]; ok {
				c.fault(pointer(at, field), "the field needs a ProcessorConfig whose Mode is DISTRIBUTED")
			}
		}
		return
	}
	s.distributed.label = s.name
	if label := c.text(at, o, "Label"); label != "" {
		c.label(at+"/Label", label)
		s.distributed.label = label
	}
	c.itemReader(at, o, s.distributed)
	c.itemBatcher(at, o, s.distributed)
	c.resultWriter(at, o, s.distributed)
}

// label checks what becomes a part of names.
func (c *checker) label(at, label string) {
	if runes(label) > 40 {
		c.fault(at, "Label exceeds the maximum length of 40 characters")
	}
	for _, r := range label {
		if r <= ' ' || r >= 0x7f && r <= 0x9f || strings.ContainsRune("?*<>{}[]:;,\\|^~$#%&`\"/", r) {
			c.fault(at, "Label contains invalid character: '%c'", r)
			return
		}
	}
}

func (c *checker) processorConfig(at string, processor map[string]any, s *state) {
	config, ok := processor["ProcessorConfig"].(map[string]any)
	if !ok {
		if processor["ProcessorConfig"] != nil {
			c.fault(at, "the value must be an object")
		}
		return
	}
	c.known(at, config, "Mode", "ExecutionType")
	switch config["Mode"] {
	case nil, "INLINE":
		return
	case "DISTRIBUTED":
	default:
		c.fault(at+"/Mode", "the value must be INLINE or DISTRIBUTED")
		return
	}
	kind := c.text(at, config, "ExecutionType")
	if kind != "STANDARD" && kind != "EXPRESS" {
		c.fault(at+"/ExecutionType", "the value must be STANDARD or EXPRESS")
	}
	s.distributed = &distributed{express: kind == "EXPRESS"}
}

// object gives an optional object; nil if it is not there or faulty.
func (c *checker) object(at string, o map[string]any, name string) map[string]any {
	v, ok := o[name]
	inner, isObject := v.(map[string]any)
	if ok && !isObject {
		c.fault(pointer(at, name), "the value must be an object")
	}
	return inner
}

// argumentsOf compiles the Parameters or Arguments of a reader or writer.
func (c *checker) argumentsOf(at string, o map[string]any) expr {
	name := "Parameters"
	if _, ok := o["Arguments"]; ok {
		name = "Arguments"
	}
	v, ok := o[name]
	if !ok {
		return nil
	}
	return c.template(pointer(at, name), v)
}

func (c *checker) itemReader(at string, o map[string]any, d *distributed) {
	r := c.object(at, o, "ItemReader")
	if r == nil {
		return
	}
	here := at + "/ItemReader"
	c.known(here, r, "Resource", "Parameters", "Arguments", "ReaderConfig")
	reader := &itemReader{resource: c.needText(here, r, "Resource"), arguments: c.argumentsOf(here, r)}
	if operation := afterLast(reader.resource, ':'); operation != "getObject" && operation != "listObjectsV2" {
		c.fault(here+"/Resource", "the resource must be arn:aws:states:::s3:getObject or arn:aws:states:::s3:listObjectsV2")
	}
	d.reader = reader
	config := c.object(here, r, "ReaderConfig")
	here += "/ReaderConfig"
	c.known(here, config, "InputType", "CSVHeaderLocation", "CSVHeaders", "CSVDelimiter", "MaxItems", "MaxItemsPath", "ItemsPointer", "ManifestType", "Transformation")
	reader.maxItems = c.setting(here, config, "MaxItems")
	reader.inputType = c.oneOf(here, config, "InputType", "", "CSV", "JSON", "JSONL", "PARQUET", "MANIFEST")
	reader.headerLocation = c.oneOf(here, config, "CSVHeaderLocation", "FIRST_ROW", "GIVEN")
	reader.flatten = c.oneOf(here, config, "Transformation", "NONE", "LOAD_AND_FLATTEN") == "LOAD_AND_FLATTEN"
	reader.athena = c.oneOf(here, config, "ManifestType", "S3_INVENTORY", "ATHENA_DATA") == "ATHENA_DATA"
	reader.delimiter = delimiters[c.oneOf(here, config, "CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")]
	reader.pointer = c.text(here, config, "ItemsPointer")
	if reader.pointer != "" && reader.pointer[0] != '/' {
		c.fault(here+"/ItemsPointer", "the value must be a JSON pointer")
	}
	c.csvHeaders(here, config, reader)
	if !reader.lists() && reader.inputType == "" {
		c.fault(here, "the field InputType is required")
	}
}

var delimiters = map[string]rune{"COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

func (c *checker) csvHeaders(at string, config map[string]any, reader *itemReader) {
	list, isList := config["CSVHeaders"].([]any)
	for i, v := range list {
		text, ok := v.(string)
		if !ok {
			c.fault(fmt.Sprintf("%s/CSVHeaders/%d", at, i), "the value must be a string")
		}
		reader.headers = append(reader.headers, text)
	}
	_, has := config["CSVHeaders"]
	switch {
	case has && !isList:
		c.fault(at+"/CSVHeaders", "the value must be a list")
	case reader.inputType != "CSV" && !reader.athena:
	case config["CSVHeaderLocation"] == nil:
		c.fault(at, "the field CSVHeaderLocation is required, FIRST_ROW or GIVEN")
	case reader.headerLocation == "GIVEN" && len(list) == 0:
		c.fault(at, "the field CSVHeaders is required where CSVHeaderLocation is GIVEN")
	}
}

// oneOf gives an optional text that must be one of the words; the first is
// the default.
func (c *checker) oneOf(at string, o map[string]any, name string, words ...string) string {
	if _, ok := o[name]; !ok {
		return words[0]
	}
	text := c.text(at, o, name)
	if !slices.Contains(words, text) {
		c.fault(pointer(at, name), "the value must be one of %s", strings.TrimPrefix(strings.Join(words, ", "), ", "))
	}
	return text
}

func (c *checker) itemBatcher(at string, o map[string]any, d *distributed) {
	b := c.object(at, o, "ItemBatcher")
	if b == nil {
		return
	}
	here := at + "/ItemBatcher"
	c.known(here, b, "MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", "BatchInput")
	d.batcher = &itemBatcher{maxItems: c.setting(here, b, "MaxItemsPerBatch"), maxBytes: c.setting(here, b, "MaxInputBytesPerBatch")}
	if v, ok := b["BatchInput"]; ok {
		d.batcher.input = c.template(here+"/BatchInput", v)
	}
	if !d.batcher.maxItems.given() && !d.batcher.maxBytes.given() {
		c.fault(here, "one of MaxItemsPerBatch and MaxInputBytesPerBatch is required")
	}
}

func (c *checker) resultWriter(at string, o map[string]any, d *distributed) {
	w := c.object(at, o, "ResultWriter")
	if w == nil {
		return
	}
	here := at + "/ResultWriter"
	c.known(here, w, "Resource", "Parameters", "Arguments", "WriterConfig")
	config := c.object(here, w, "WriterConfig")
	c.known(here+"/WriterConfig", config, "Transformation", "OutputType")
	writer := &resultWriter{resource: c.text(here, w, "Resource"), arguments: c.argumentsOf(here, w)}
	d.writer = writer
	otherwise := "COMPACT"
	if writer.resource != "" {
		otherwise = "NONE"
	}
	writer.transformation = otherwise
	if _, ok := config["Transformation"]; ok {
		writer.transformation = c.oneOf(here+"/WriterConfig", config, "Transformation", "NONE", "COMPACT", "FLATTEN")
	}
	writer.lines = c.oneOf(here+"/WriterConfig", config, "OutputType", "JSON", "JSONL") == "JSONL"
	switch {
	case writer.resource != "" && afterLast(writer.resource, ':') != "putObject":
		c.fault(here+"/Resource", "the resource must be arn:aws:states:::s3:putObject")
	case writer.resource != "" && writer.arguments == nil:
		c.fault(here, "the field Parameters is required beside Resource, with Bucket and Prefix")
	case writer.resource == "" && config == nil:
		c.fault(here, "Resource with Parameters, or WriterConfig, is required")
	}
}

func afterLast(s string, sep byte) string { return s[strings.LastIndexByte(s, sep)+1:] }

// A setting is a number of a Map, given or by path.
type setting struct {
	field string // as written; empty: not given
	value json.Number
	path  *path
}

func (s setting) given() bool { return s.field != "" }

// name is the field without Path.
func (s setting) name() string { return strings.TrimSuffix(s.field, "Path") }

// setting reads at most one of the field and its path.
func (c *checker) setting(at string, o map[string]any, name string) (s setting) {
	v, has := o[name]
	_, hasPath := o[name+"Path"]
	switch {
	case has && hasPath:
		c.fault(at, "only one of %s and %sPath may be given", name, name)
	case hasPath:
		return setting{field: name + "Path", path: c.path(at, o, name+"Path")}
	case has:
		n, ok := v.(json.Number)
		_, whole := toInt(n)
		if f := toFloat(n); !ok || f < 0 || !whole && name != "ToleratedFailurePercentage" || f > 100 && name == "ToleratedFailurePercentage" {
			c.fault(pointer(at, name), "the value must be a whole number of at least 0, or for a percentage a number from 0 to 100")
		}
		return setting{field: name, value: n}
	}
	return setting{}
}
