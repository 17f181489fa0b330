package asl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// bucket is a fake of S3 that answers as the drivers do: text under keys.
type bucket map[string]string

func (b bucket) answer(c Command) Event {
	var in struct{ Bucket, Key, Prefix, Body, ContinuationToken string }
	_ = json.Unmarshal(c.Input, &in)
	reply := func(v any) Event {
		raw, _ := json.Marshal(v)
		return Event{Kind: Succeeded, Output: raw}
	}
	switch afterLast(c.Resource, ':') {
	case "getObject":
		text, ok := b[in.Key]
		if !ok {
			return Event{Kind: Failed, Error: "S3.NoSuchKeyException", Cause: "The specified key does not exist."}
		}
		return reply(map[string]any{"Body": text})
	case "listObjectsV2":
		return reply(b.page(in.Prefix, in.ContinuationToken))
	case "putObject":
		b[in.Key] = in.Body
		return reply(map[string]any{"ETag": "e"})
	}
	return Event{Kind: Succeeded, Output: c.Input}
}

// page lists two objects at a time.
func (b bucket) page(prefix, token string) any {
	var contents []any
	keys := make([]string, 0, len(b))
	for k := range b {
		if strings.HasPrefix(k, prefix) && k > token {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys[:min(2, len(keys))] {
		contents = append(contents, map[string]any{"Key": k, "Size": len(b[k])})
	}
	out := map[string]any{"Contents": contents}
	if len(keys) > 2 {
		out["NextContinuationToken"] = keys[1]
	}
	return out
}

const toDistribute = `{"StartAt":"M","States":{"M":{"Type":"Map",%s"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"A","States":{"A":%s}},"End":true}}}`

const passOn = `{"Type":"Pass","End":true}`

func typesOf(history []HistoryEvent) string {
	var out []string
	for _, h := range history {
		out = append(out, h.Type)
	}
	return strings.Join(out, " ")
}

const (
	runFails    = "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunFailed MapStateFailed ExecutionFailed"
	runSucceeds = "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunSucceeded MapStateSucceeded MapStateExited ExecutionSucceeded"
)

// Each row reads one object in one way.
func TestItemReader(t *testing.T) {
	files := bucket{
		"a.csv": "\ufeffx,y\r\n1,\"a\"\"b\"\n\n2\n3,c,d\n", "none.csv": "", "twice.csv": "a,a\n1,2\n", "semi.csv": "1;2\n3;4",
		"l.json": `[1, {"a":2.50}, null]`, "o.json": `{"a":{"b/c":[7,8]},"n":5,"l":[[9]]}`, "bad.json": `[1,2`, "two.json": `[1] 2`, "text.json": `"x"`,
		"l.jsonl": "{\"a\":1}\n\n[2]\n", "bad.jsonl": "1\n{\n", "d/1.json": "[1,2]", "d/2.json": "[3]", "d/3.json": "[4]",
		"m.json":  `{"destinationBucket":"arn:aws:s3:::b","fileFormat":"CSV","fileSchema":"Bucket, Key, Size","files":[{"key":"inv.csv"},{"key":"inv2.csv"}]}`,
		"p.json":  `{"destinationBucket":"b","fileFormat":"Parquet","files":[]}`,
		"inv.csv": "\"b\",\"k1\",\"3\"\n", "inv2.csv": "\"b\",\"k2\",\"4\"\n", "athena.csv": "s3://b/l.jsonl\ns3://b/l.jsonl\n",
	}
	for name, test := range map[string]struct{ resource, parameters, config, want string }{
		"csv":                          {"getObject", `"Key":"a.csv"`, `"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`, `[{"x":"1","y":"a\"b"},{"x":"2","y":""},{"x":"3","y":"c"}]`},
		"given":                        {"getObject", `"Key":"semi.csv"`, `"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["p","q"],"CSVDelimiter":"SEMICOLON"`, `[{"p":"1","q":"2"},{"p":"3","q":"4"}]`},
		"empty csv":                    {"getObject", `"Key":"none.csv"`, `"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`, `[]`},
		"duplicates":                   {"getObject", `"Key":"twice.csv"`, `"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`, `States.ItemReaderFailed CSV headers cannot contain duplicates.`},
		"json":                         {"getObject", `"Key":"l.json"`, `"InputType":"JSON"`, `[1,{"a":2.50},null]`},
		"max":                          {"getObject", `"Key":"l.json"`, `"InputType":"JSON","MaxItems":2`, `[1,{"a":2.50}]`},
		"max by path":                  {"getObject", `"Key":"l.json"`, `"InputType":"JSON","MaxItemsPath":"$.text"`, `[1,{"a":2.50}]`},
		"max no number":                {"getObject", `"Key":"l.json"`, `"InputType":"JSON","MaxItemsPath":"$.half"`, `States.ItemReaderFailed The MaxItemsPath field refers to value "1.5" which is not a valid integer: $.half`},
		"max negative":                 {"getObject", `"Key":"l.json"`, `"InputType":"JSON","MaxItemsPath":"$.negative"`, `States.ItemReaderFailed field MaxItems must be positive`},
		"pointer":                      {"getObject", `"Key":"o.json"`, `"InputType":"JSON","ItemsPointer":"/a/b~1c"`, `[7,8]`},
		"pointer index":                {"getObject", `"Key":"o.json"`, `"InputType":"JSON","ItemsPointer":"/l/0"`, `[9]`},
		"pointer pairs":                {"getObject", `"Key":"o.json"`, `"InputType":"JSON","ItemsPointer":"/a"`, `[{"Key":"b/c","Value":[7,8]}]`},
		"pointer lost":                 {"getObject", `"Key":"o.json"`, `"InputType":"JSON","ItemsPointer":"/z"`, `States.ItemReaderFailed The ItemsPointer "/z" points at nothing in the JSON file.`},
		"object":                       {"getObject", `"Key":"o.json"`, `"InputType":"JSON"`, `States.ItemReaderFailed Attempting to map over non-iterable node.`},
		"scalar":                       {"getObject", `"Key":"text.json"`, `"InputType":"JSON"`, `States.ItemReaderFailed Attempting to map over non-iterable node.`},
		"cut short":                    {"getObject", `"Key":"bad.json"`, `"InputType":"JSON"`, `States.ItemReaderFailed The JSON file could not be read: it ends too soon`},
		"two values":                   {"getObject", `"Key":"two.json"`, `"InputType":"JSON"`, `States.ItemReaderFailed The JSON file could not be read: more than one JSON value`},
		"lines":                        {"getObject", `"Key":"l.jsonl"`, `"InputType":"JSONL"`, `[{"a":1},[2]]`},
		"bad line":                     {"getObject", `"Key":"bad.jsonl"`, `"InputType":"JSONL"`, `States.ItemReaderFailed Line 2 of the JSON Lines file could not be read: unexpected EOF`},
		"list":                         {"listObjectsV2", `"Prefix":"d/"`, ``, `[{"Key":"d/1.json","Size":5},{"Key":"d/2.json","Size":3},{"Key":"d/3.json","Size":3}]`},
		"list max":                     {"listObjectsV2", `"Prefix":"d/"`, `"MaxItems":1`, `[{"Key":"d/1.json","Size":5}]`},
		"list flat":                    {"listObjectsV2", `"Prefix":"d/"`, `"InputType":"JSON","Transformation":"LOAD_AND_FLATTEN"`, `[1,2,3,4]`},
		"inventory":                    {"getObject", `"Key":"m.json"`, `"InputType":"MANIFEST"`, `[{"Bucket":"b","Key":"k1","Size":"3"},{"Bucket":"b","Key":"k2","Size":"4"}]`},
		"inventory of what is not CSV": {"getObject", `"Key":"p.json"`, `"InputType":"MANIFEST"`, `States.ItemReaderFailed The manifest's files are in the format "Parquet": only CSV is supported.`},
		"athena":                       {"getObject", `"Key":"athena.csv"`, `"InputType":"JSONL","ManifestType":"ATHENA_DATA","CSVHeaderLocation":"FIRST_ROW"`, `[{"a":1},[2],{"a":1},[2]]`},
		"parquet":                      {"getObject", `"Key":"l.json"`, `"InputType":"PARQUET"`, `States.ItemReaderFailed InputType PARQUET is not supported by this interpreter: convert the file to CSV, JSON or JSONL`},
		"no such key":                  {"getObject", `"Key":"zzz"`, `"InputType":"JSON"`, `States.ItemReaderFailed The specified key does not exist.`},
	} {
		t.Run(name, func(t *testing.T) {
			reader := fmt.Sprintf(`"ItemReader":{"Resource":"arn:aws:states:::s3:%s","Parameters":{"Bucket":"b",%s},"ReaderConfig":{%s}},`, test.resource, test.parameters, test.config)
			d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, reader, passOn)), files.answer)
			d.run(`{"text":"2","half":1.5,"negative":-1}`, 100)
			want := runSucceeds
			have := string(d.x.Output())
			if d.x.Status() != StatusSucceeded {
				have, want = d.x.Error()+" "+d.x.Cause(), runFails
			}
			if have != test.want || typesOf(d.history) != want {
				t.Errorf("%s\nwant %s\nhistory %s", have, test.want, typesOf(d.history))
			}
			wantFold(t, d)
		})
	}
}

func TestItemBatcher(t *testing.T) {
	const items = `["aa","bb","cc","dd","ee"]`
	for batcher, want := range map[string]string{
		`"MaxItemsPerBatch":2`:                                    `[{"Items":["aa","bb"]},{"Items":["cc","dd"]},{"Items":["ee"]}]`,
		`"MaxInputBytesPerBatch":21`:                              `[{"Items":["aa","bb"]},{"Items":["cc","dd"]},{"Items":["ee"]}]`,
		`"MaxInputBytesPerBatch":20`:                              `[{"Items":["aa"]},{"Items":["bb"]},{"Items":["cc"]},{"Items":["dd"]},{"Items":["ee"]}]`,
		`"MaxInputBytesPerBatch":1`:                               `[{"Items":["aa"]},{"Items":["bb"]},{"Items":["cc"]},{"Items":["dd"]},{"Items":["ee"]}]`,
		`"MaxItemsPerBatchPath":"$.n","BatchInput":{"k.$":"$.k"}`: `[{"BatchInput":{"k":7},"Items":["aa","bb","cc"]},{"BatchInput":{"k":7},"Items":["dd","ee"]}]`,
		`"MaxItemsPerBatchPath":"$.zero"`:                         `An error occurred while executing the state 'M' (entered at the event id #2). MaxItemsPerBatch must be a positive integer.`,
	} {
		d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"ItemsPath":"$.items","ItemBatcher":{`+batcher+`},`, passOn)), nil)
		d.run(`{"items":`+items+`,"n":"3","k":7,"zero":0}`, 10)
		if have := string(d.x.Output()) + d.x.Cause(); have != want {
			t.Errorf("%s: %s\nwant %s", batcher, have, want)
		}
	}
}

// failsBad fails the items that are "bad".
func failsBad(c Command) Event {
	if string(c.Input) == `"bad"` {
		return Event{Kind: Failed, Error: "E", Cause: "c"}
	}
	return Event{Kind: Succeeded, Output: c.Input}
}

const task = `{"Type":"Task","Resource":"r","End":true}`

func TestToleratedFailures(t *testing.T) {
	for limits, tolerated := range map[string]bool{
		``: false, `"ToleratedFailureCount":0,`: false, `"ToleratedFailureCount":1,`: false, `"ToleratedFailureCount":2,`: true,
		`"ToleratedFailurePercentage":49.9,`: false, `"ToleratedFailurePercentage":50,`: true, `"ToleratedFailurePercentage":100,`: true,
		`"ToleratedFailurePercentage":100,"ToleratedFailureCount":1,`: false, `"ToleratedFailurePercentage":10,"ToleratedFailureCount":3,`: false,
		`"ToleratedFailurePercentagePath":"$[4]",`: true, `"ToleratedFailureCountPath":"$[4]",`: true,
	} {
		d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, limits+`"MaxConcurrency":1,"ItemsPath":"$[0:4]",`, task)), failsBad)
		d.run(`["ok","bad","ok","bad","50"]`, 100)
		if tolerated != (d.x.Status() == StatusSucceeded) {
			t.Errorf("%s: %s", limits, d.x.Status())
		}
		if !tolerated && (d.x.Error() != "States.ExceedToleratedFailureThreshold" || d.x.Cause() != "The specified tolerated failure threshold was exceeded" || typesOf(d.history) != runFails) {
			t.Errorf("%s: %s %s %s", limits, d.x.Error(), d.x.Cause(), typesOf(d.history))
		}
		wantFold(t, d)
	}
}

// What AWS calls these files, and what stands in them.
func TestResultWriter(t *testing.T) {
	const writer = `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"}%s},"ToleratedFailureCount":1,"MaxConcurrency":1,`
	for config, want := range map[string]map[string]string{
		``: {"SUCCEEDED_0.json": `"Output":"[1]"`, "FAILED_0.json": `"Cause":"c"`, "manifest.json": `"DestinationBucket":"b"`},
		`,"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}`:  {"SUCCEEDED_0.json": `[[1],{"a":2}]`, "FAILED_0.json": `"Status":"FAILED"`, "manifest.json": "/SUCCEEDED_0.json"},
		`,"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSONL"}`: {"SUCCEEDED_0.jsonl": "1\n{\"a\":2}\n", "FAILED_0.jsonl": `"Error":"E"`, "manifest.json": "/FAILED_0.jsonl"},
	} {
		files := bucket{}
		d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, fmt.Sprintf(writer, config), task)), func(c Command) Event {
			if c.Resource == "r" {
				return failsBad(c)
			}
			return files.answer(c)
		})
		d.run(`[[1],"bad",{"a":2}]`, 100)
		id := d.history[3].MapRun[strings.LastIndex(d.history[3].MapRun, ":")+1:]
		for name, part := range want {
			if text := files["out/"+id+"/"+name]; !strings.Contains(text, part) {
				t.Errorf("%s: %s is %q, want %q in it", config, name, text, part)
			}
		}
		if out := string(d.x.Output()); len(files) != len(want) || !strings.Contains(out, `"ResultWriterDetails":{"Bucket":"b","Key":"out/`+id+`/manifest.json"}`) {
			t.Errorf("%s: output %s, %d files", config, out, len(files))
		}
		wantFold(t, d)
	}
}

func TestResultWriterFails(t *testing.T) {
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"}},`, passOn)),
		func(Command) Event { return Event{Kind: Failed, Error: "S3.NoSuchBucket", Cause: "no bucket"} })
	d.run(`[1]`, 10)
	if d.x.Error() != "States.ResultWriterFailed" || d.x.Cause() != "no bucket" || typesOf(d.history) != runFails || len(d.x.Open()) != 0 {
		t.Errorf("%s %s %s", d.x.Error(), d.x.Cause(), typesOf(d.history))
	}
}

// A run that is broken off still writes what it has.
func TestBrokenOffRunIsWritten(t *testing.T) {
	files := bucket{}
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":""}},"MaxConcurrency":2,`, task)), func(c Command) Event {
		if c.Resource == "r" {
			return failsBad(c)
		}
		return files.answer(c)
	})
	d.run(`["ok","bad","late","never"]`, 100)
	all := ""
	for name, text := range files {
		all += name + text
	}
	if d.x.Error() != "States.ExceedToleratedFailureThreshold" || len(files) != 3 || !strings.Contains(all, `"Status":"ABORTED"`) || len(d.x.Open()) != 0 {
		t.Errorf("%s, files %v, open %v", d.x.Error(), files, d.x.Open())
	}
	wantFold(t, d)
}

// A child sees its own execution, not the Map's item nor its parent.
func TestChildIsAnExecution(t *testing.T) {
	const inside = `{"Type":"Pass","Parameters":{"id.$":"$$.Execution.Id","name.$":"$$.Execution.Name","input.$":"$$.Execution.Input","machine.$":"$$.StateMachine.Name"},"End":true}`
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"Label":"L","ItemSelector":{"v.$":"$$.Map.Item.Value","i.$":"$$.Map.Item.Index","s.$":"$$.Map.Item.Source","e.$":"$$.Execution.Name"},`, inside)), nil)
	d.run(`["a"]`, 10)
	var out []struct {
		ID, Name, Machine string
		Input             struct {
			V, S, E string
			I       int
		}
	}
	if err := json.Unmarshal(d.x.Output(), &out); err != nil || len(out) != 1 {
		t.Fatal(err, string(d.x.Output()), d.x.Cause())
	}
	o := out[0]
	if o.Input.V != "a" || o.Input.S != "STATE_DATA" || o.Input.E != "exec" || o.Name == "exec" || !strings.HasSuffix(o.ID, "/L:"+o.Name) || !strings.HasSuffix(o.Machine, "/L") {
		t.Errorf("%+v", o)
	}
	d = newDriver(t, parse(t, fmt.Sprintf(toDistribute, "", `{"Type":"Pass","Parameters":{"v.$":"$$.Map.Item.Value"},"End":true}`)), nil)
	d.run(`["a"]`, 10)
	if d.x.Status() != StatusFailed {
		t.Errorf("a child sees its parent's item: %s", d.x.Output())
	}
}

// Retry begins a run anew, with a name of its own.
func TestRunIsTriedAgain(t *testing.T) {
	n := 0
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"Retry":[{"ErrorEquals":["States.ExceedToleratedFailureThreshold"],"MaxAttempts":1}],`, task)), func(c Command) Event {
		if n++; n == 1 {
			return Event{Kind: Failed, Error: "E"}
		}
		return Event{Kind: Succeeded, Output: c.Input}
	})
	d.run(`["a"]`, 10)
	want := strings.Replace(runSucceeds, "MapStateStarted", "MapStateStarted MapRunStarted MapRunFailed MapStateStarted", 1)
	if typesOf(d.history) != want || d.history[3].MapRun == d.history[6].MapRun {
		t.Errorf("history %s, want %s", typesOf(d.history), want)
	}
	wantFold(t, d)
}

func TestMapRunsTellsProgress(t *testing.T) {
	m := parse(t, fmt.Sprintf(toDistribute, `"MaxConcurrency":2,"ToleratedFailureCount":9,"ItemBatcher":{"MaxItemsPerBatch":2},`, task))
	d := newDriver(t, m, nil)
	d.tell(Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`[1,2,3,4,5,6,7]`)})
	want := MapRun{State: "M", Label: "M", Status: StatusRunning, Started: d.now, Total: 7, Pending: 3, Running: 4}
	check := func() {
		t.Helper()
		for range 2 { // asking changes nothing
			runs := d.x.MapRuns()
			if len(runs) != 1 {
				t.Fatalf("runs %+v", runs)
			}
			if runs[0].ID = ""; runs[0] != want {
				t.Errorf("%+v, want %+v", runs[0], want)
			}
		}
	}
	check()
	open := d.x.Open()
	d.tell(Event{Kind: Succeeded, Command: open[0].ID})
	want.Pending, want.Running, want.Succeeded = 1, 4, 2
	check()
	d.tell(Event{Kind: Failed, Command: open[1].ID, Error: "E"})
	want.Pending, want.Running, want.Failed = 0, 3, 2
	check()
	if states := d.x.States(); !slices.Equal(states, []string{"M"}) {
		t.Errorf("states %v", states)
	}
	d.tell(Event{Kind: Stopped})
	want.Status, want.Stopped = StatusAborted, d.now
	check()
	if len(d.x.Open()) != 0 {
		t.Errorf("after the end: open %+v", d.x.Open())
	}
}

// Children that never stop fail one by one, and no event takes long.
func TestEndlessChildrenEnd(t *testing.T) {
	const loop = `{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"}`
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"ToleratedFailureCount":2,`, loop)), nil)
	start := time.Now()
	d.run(`[1,2,3]`, 1_000)
	if d.x.Error() != "States.ExceedToleratedFailureThreshold" || len(d.log) < 6 || time.Since(start) > time.Minute {
		t.Errorf("%s %s after %d events", d.x.Status(), d.x.Error(), len(d.log))
	}
	wantFold(t, d)
}

// Results beyond a payload fail the state, unless a writer takes them.
func TestResultsThatDoNotFit(t *testing.T) {
	big := `{"Type":"Pass","Result":"` + strings.Repeat("a", 1000) + `","End":true}`
	items := "[0" + strings.Repeat(",0", 299) + "]"
	d := newDriver(t, parse(t, fmt.Sprintf(toDistribute, "", big)), nil)
	d.run(items, 10)
	if d.x.Error() != "States.DataLimitExceeded" {
		t.Errorf("%s %s", d.x.Status(), d.x.Error())
	}
	files := bucket{}
	d = newDriver(t, parse(t, fmt.Sprintf(toDistribute, `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"p"}},`, big)), files.answer)
	d.run(items, 10)
	if d.x.Status() != StatusSucceeded || len(files) != 2 {
		t.Errorf("%s %s, %d files", d.x.Status(), d.x.Error(), len(files))
	}
}
