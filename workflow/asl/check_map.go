package asl

import "strings"

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
	assigned := c.assigned
	if s.distributed = newDistributed(processor); s.distributed != nil {
		c.assigned = nil // its children see no variables of outside
	}
	s.branches = []*block{c.block(here, processor, depth+1)}
	c.assigned = assigned
	if items, ok := o["Items"]; ok && s.jsonata {
		s.itemsOf = c.value(true, pointer(at, "Items"), "Items", items)
	}
	s.items = c.path(at, o, "ItemsPath")
	s.concurrency = c.setting(at, o, s.jsonata, "", "MaxConcurrency")
	s.tolerated = [2]setting{c.setting(at, o, s.jsonata, "", "ToleratedFailureCount"), c.setting(at, o, s.jsonata, "", "ToleratedFailurePercentage")}
	d := s.distributed
	if d == nil {
		return
	}
	if d.label = c.text(at, o, "Label"); d.label == "" {
		d.label = s.name
	}
	part := func(name string) (string, map[string]any) {
		inner, _ := o[name].(map[string]any)
		return at + "/" + name, inner
	}
	if here, r := part("ItemReader"); r != nil {
		d.reader = c.itemReader(here, r, s.jsonata)
	}
	if here, b := part("ItemBatcher"); b != nil {
		d.batcher = &itemBatcher{
			maxItems: c.setting(here, b, s.jsonata, "ItemBatcher/", "MaxItemsPerBatch"),
			maxBytes: c.setting(here, b, s.jsonata, "ItemBatcher/", "MaxInputBytesPerBatch"),
		}
		if v, ok := b["BatchInput"]; ok {
			d.batcher.input = c.value(s.jsonata, here+"/BatchInput", "ItemBatcher/BatchInput", v)
		}
	}
	if here, w := part("ResultWriter"); w != nil {
		d.writer = c.resultWriter(here, w, s.jsonata)
	}
}

// newDistributed is what a processor's configuration says; nil: its items run
// inline.
func newDistributed(processor map[string]any) *distributed {
	config, _ := processor["ProcessorConfig"].(map[string]any)
	if config["Mode"] != "DISTRIBUTED" {
		return nil
	}
	return &distributed{express: config["ExecutionType"] == "EXPRESS"}
}

// argumentsOf compiles the Parameters or Arguments of a reader or writer.
func (c *checker) argumentsOf(at, field string, o map[string]any, jsonata bool) expr {
	name := "Parameters"
	if jsonata {
		name = "Arguments"
	}
	v, ok := o[name]
	if !ok {
		return nil
	}
	return c.value(jsonata, pointer(at, name), field+"/"+name, v)
}

func (c *checker) itemReader(at string, o map[string]any, jsonata bool) *itemReader {
	config, _ := o["ReaderConfig"].(map[string]any)
	r := &itemReader{
		resource:       c.needText(at, o, "Resource"),
		arguments:      c.argumentsOf(at, "ItemReader", o, jsonata),
		inputType:      word(config, "InputType", ""),
		headerLocation: word(config, "CSVHeaderLocation", "FIRST_ROW"),
		flatten:        config["Transformation"] == "LOAD_AND_FLATTEN",
		athena:         config["ManifestType"] == "ATHENA_DATA",
		delimiter:      delimiters[word(config, "CSVDelimiter", "COMMA")],
		pointer:        word(config, "ItemsPointer", ""),
		maxItems:       c.setting(at+"/ReaderConfig", config, jsonata, "ItemReader/ReaderConfig/", "MaxItems"),
	}
	if headers, ok := config["CSVHeaders"]; ok {
		r.given = c.value(jsonata, at+"/ReaderConfig/CSVHeaders", "ItemReader/ReaderConfig/CSVHeaders", headers)
	}
	return r
}

var delimiters = map[string]rune{"COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

// word is an optional text that the check has let pass.
func word(o map[string]any, name, otherwise string) string {
	if text, ok := o[name].(string); ok {
		return text
	}
	return otherwise
}

func (c *checker) resultWriter(at string, o map[string]any, jsonata bool) *resultWriter {
	config, _ := o["WriterConfig"].(map[string]any)
	w := &resultWriter{resource: c.text(at, o, "Resource"), arguments: c.argumentsOf(at, "ResultWriter", o, jsonata), lines: config["OutputType"] == "JSONL"}
	otherwise := "COMPACT"
	if w.resource != "" {
		otherwise = "NONE"
	}
	w.transformation = word(config, "Transformation", otherwise)
	return w
}

func afterLast(s string, sep byte) string { return s[strings.LastIndexByte(s, sep)+1:] }

// A setting is a number of a Map: given, by path or by expression.
type setting struct {
	field string // as written, with the objects around it; empty: not given
	value expr   // nil where path is not
	path  *path
}

func (s setting) given() bool { return s.field != "" }

// name is the field without Path.
func (s setting) name() string { return strings.TrimSuffix(afterLast(s.field, '/'), "Path") }

// setting reads the field or its path. inside is where the object is in the
// state.
func (c *checker) setting(at string, o map[string]any, jsonata bool, inside, name string) setting {
	if _, ok := o[name+"Path"]; ok && !jsonata {
		return setting{field: inside + name + "Path", path: c.path(at, o, name+"Path")}
	}
	v, ok := o[name]
	if !ok {
		return setting{}
	}
	field := inside + name
	return setting{field: field, value: c.value(jsonata, pointer(at, name), field, v)}
}
