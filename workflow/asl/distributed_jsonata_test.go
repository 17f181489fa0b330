package asl

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// distributeBy is a machine in JSONata whose Map distributes.
func distributeBy(fields, state string) string {
	return `{"QueryLanguage":"JSONata",` + fmt.Sprintf(toDistribute, fields, state)[1:]
}

// Each field of a distributed Map takes an expression.
func TestDistributedMapByExpressions(t *testing.T) {
	files := bucket{"k.csv": "1,2\n3,4\n5,6\n"}
	const fields = `"MaxConcurrency":"{% $states.input.one %}","ToleratedFailureCount":"{% 2 %}","ToleratedFailurePercentage":"{% 66.7 %}",
		"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Arguments":{"Bucket":"b","Key":"{% $states.input.key & '.csv' %}"},
		  "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":"{% $states.input.headers %}","MaxItems":"{% 1 + 2 %}"}},
		"ItemSelector":{"i":"{% $states.context.Map.Item.Index %}","v":"{% $states.context.Map.Item.Value.p %}"},
		"ItemBatcher":{"MaxItemsPerBatch":"{% 2 %}","MaxInputBytesPerBatch":"{% 1000 %}","BatchInput":{"k":"{% $states.input.key %}"}},
		"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Arguments":{"Bucket":"{% 'b' %}","Prefix":"{% $states.input.key %}"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSONL"}},
		"Output":"{% $states.result.ResultWriterDetails.Bucket %}",`
	d := newDriver(t, parse(t, distributeBy(fields, passOn)), files.answer)
	d.run(`{"one":1,"key":"k","headers":["p","q"]}`, 100)
	if string(d.x.Output()) != `"b"` || typesOf(d.history) != runSucceeds {
		t.Fatalf("%s %s %s %s", d.x.Status(), d.x.Output(), d.x.Cause(), typesOf(d.history))
	}
	const want = `{"BatchInput":{"k":"k"},"Items":[{"i":0,"v":"1"},{"i":1,"v":"3"}]}` + "\n" + `{"BatchInput":{"k":"k"},"Items":[{"i":2,"v":"5"}]}` + "\n"
	for name, text := range files {
		if strings.HasSuffix(name, ".jsonl") && (text != want || !strings.HasPrefix(name, "k/")) {
			t.Errorf("%s: %s", name, text)
		}
	}
	wantFold(t, d)
}

// A value that an expression gives and that will not do is an evaluation that
// failed, with its place, and may be caught.
func TestDistributedMapExpressionsThatFail(t *testing.T) {
	const reader = `"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Arguments":{"Key":"l.json"},"ReaderConfig":{"InputType":"JSON","MaxItems":"{% %s %}"}},`
	for field, test := range map[string]struct{ fields, location, cause string }{
		"concurrency":   {`"MaxConcurrency":"{% 'x' %}",`, "MaxConcurrency", `The JSONata expression ''x'' specified for the field 'MaxConcurrency' returned an unexpected result type. Expected 'integer', but was 'string' for value: "x"`},
		"negative":      {`"MaxConcurrency":"{% -1 %}",`, "MaxConcurrency", "MaxConcurrency cannot be negative."},
		"count":         {`"ToleratedFailureCount":"{% -1 %}",`, "ToleratedFailureCount", "ToleratedFailureCount cannot be negative."},
		"half":          {`"ToleratedFailureCount":"{% 1.5 %}",`, "ToleratedFailureCount", "The JSONata expression '1.5' specified for the field 'ToleratedFailureCount' returned an unexpected result type. Expected 'integer', but was 'number' for value: 1.5"},
		"percentage":    {`"ToleratedFailurePercentage":"{% 100.1 %}",`, "ToleratedFailurePercentage", "ToleratedFailurePercentage must be between 0 and 100."},
		"no percentage": {`"ToleratedFailurePercentage":"{% true %}",`, "ToleratedFailurePercentage", "The JSONata expression 'true' specified for the field 'ToleratedFailurePercentage' returned an unexpected result type. Expected 'number', but was 'boolean' for value: true"},
		"batch":         {`"ItemBatcher":{"MaxItemsPerBatch":"{% 0 %}"},`, "ItemBatcher/MaxItemsPerBatch", "MaxItemsPerBatch must be a positive integer."},
		"batch input":   {`"ItemBatcher":{"MaxItemsPerBatch":1,"BatchInput":{"a":"{% $nothing %}"}},`, "ItemBatcher/BatchInput/a", "The JSONata expression '$nothing' specified for the field 'ItemBatcher/BatchInput/a' returned nothing (undefined)."},
	} {
		m := `{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map",` + test.fields + `"Items":"{% [1] %}","Catch":[{"ErrorEquals":["States.QueryEvaluationError"],"Next":"C"}],
		  "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"A","States":{"A":` + passOn + `}},"End":true},"C":{"Type":"Succeed"}}}`
		d := newDriver(t, parse(t, m), nil)
		d.run(`{}`, 10)
		var caught struct{ Error, Cause string }
		_ = json.Unmarshal(d.x.Output(), &caught)
		if caught.Error != errQuery || !strings.HasSuffix(caught.Cause, test.cause) {
			t.Errorf("%s: %s %s", field, d.x.Output(), d.x.Cause())
		}
		place := ""
		for _, h := range d.history {
			if h.Type == "EvaluationFailed" {
				place = h.Location
			}
		}
		if place != test.location {
			t.Errorf("%s: failed at %q, want %q", field, place, test.location)
		}
	}
	d := newDriver(t, parse(t, distributeBy(strings.Replace(reader, "%s", "-1", 1), passOn)), nil)
	d.run(`{}`, 10)
	if d.x.Error() != errItemReader || d.x.Cause() != "field MaxItems must be positive" {
		t.Errorf("MaxItems: %s %s", d.x.Error(), d.x.Cause())
	}
}

// A child is an execution of its own: variables of outside are not in it.
func TestChildSeesNoVariables(t *testing.T) {
	const machine = `{"QueryLanguage":"JSONata","StartAt":"V","States":{"V":{"Type":"Pass","Assign":{"v":1},"Next":"M"},
	  "M":{"Type":"Map","Items":"{% [$v, 2] %}","ItemSelector":"%s","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"A","States":{
	    "A":{"Type":"Pass","Assign":{"v":"{% $states.input * 10 %}"},"Next":"B"},"B":{"Type":"Pass","Output":"{% $v %}","End":true}}},"Next":"Z"},
	  "Z":{"Type":"Pass","Output":"{% [$states.input, $v] %}","End":true}}}`
	d := newDriver(t, parse(t, strings.Replace(machine, "%s", "{% $states.context.Map.Item.Value + $v %}", 1)), nil)
	d.run(`{}`, 10)
	if string(d.x.Output()) != `[20,30,1]` && string(d.x.Output()) != `[[20,30],1]` {
		t.Errorf("%s %s", d.x.Output(), d.x.Cause())
	}
	m, err := Parse([]byte(strings.Replace(strings.Replace(machine, `"Assign":{"v":"{% $states.input * 10 %}"},`, "", 1), "%s", "{% 1 %}", 1)))
	if err != nil {
		return // refused: the variable is not there
	}
	d = newDriver(t, m, nil)
	if d.run(`{}`, 10); d.x.Status() != StatusFailed {
		t.Errorf("a child sees a variable of outside: %s", d.x.Output())
	}
}

// A redriven execution begins the Map anew, with a run of its own.
func TestRedriveOfDistributedMap(t *testing.T) {
	down := true
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, "", task)), func(c Command) Event {
		if down {
			return Event{Kind: Failed, Error: "E"}
		}
		return Event{Kind: Succeeded, Output: c.Input}
	})
	d.run(`[1,2]`, 20)
	if d.x.Error() != errThreshold {
		t.Fatalf("%s %s", d.x.Status(), d.x.Error())
	}
	down = false
	d.tell(Event{Kind: Redriven})
	for {
		c, ok := d.next()
		if !ok {
			break
		}
		e := d.handler(c)
		e.Command = c.ID
		d.tell(e)
	}
	runs := d.x.MapRuns()
	if string(d.x.Output()) != `[1,2]` || len(runs) != 2 || runs[0].Status != StatusFailed || runs[1].Status != StatusSucceeded || runs[0].ID == runs[1].ID {
		t.Errorf("%s %s, runs %+v", d.x.Status(), d.x.Output(), runs)
	}
	wantFold(t, d)
}

// What is wrong with a distributed Map is told when the machine is made.
func TestCheckOfDistributedMap(t *testing.T) {
	const get = `"Resource":"arn:aws:states:::s3:getObject"`
	for _, test := range []struct{ fields, want string }{
		{`"ItemReader":{` + get + `,"ReaderConfig":{"InputType":"XML"}},`, "/States/M/ItemReader/ReaderConfig/InputType"},
		{`"ItemReader":{` + get + `,"ReaderConfig":{}},`, "required: [InputType]"},
		{`"ItemReader":{` + get + `},`, "required: [InputType]"},
		{`"ItemReader":{` + get + `,"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN"}},`, "required: [CSVHeaders]"},
		{`"ItemReader":{` + get + `,"ReaderConfig":{"InputType":"CSV","CSVDelimiter":"COLON"}},`, "/CSVDelimiter"},
		{`"ItemReader":{` + get + `,"ReaderConfig":{"InputType":"JSON","ItemsPointer":"a"}},`, "JSON pointer"},
		{`"ItemReader":{"Resource":"arn:aws:states:::s3:deleteObject","ReaderConfig":{"InputType":"JSON"}},`, "getObject or listObjectsV2"},
		{`"ItemReader":{` + get + `,"Arguments":{},"ReaderConfig":{"InputType":"JSON"}},`, "only supported for the 'JSONata'"},
		{`"ItemBatcher":{},`, "One of these fields is required: [MaxItemsPerBatch"},
		{`"ResultWriter":{},`, "required: [Resource]"},
		{`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject"},`, "required: [Parameters]"},
		{`"ResultWriter":{"WriterConfig":{"OutputType":"CSV"}},`, "/OutputType"},
	} {
		_, err := Parse([]byte(fmt.Sprintf(toDistribute, test.fields, passOn)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s in it", test.fields, err, test.want)
		}
	}
}
