package asl

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// A resultWriter says what becomes of the children's results.
type resultWriter struct {
	resource       string // s3:putObject; empty: the results are the state's
	arguments      expr
	transformation string // NONE, COMPACT, FLATTEN
	lines          bool   // JSON Lines, not a list
}

// maxFile is where a file of results ends and the next begins; maxWrites is
// how many may be under way before no more children begin.
const (
	maxFile   = 4 << 20
	maxWrites = 4
)

// errStopped marks a child that was stopped with its run.
var errStopped = &stateError{}

// writing is what a run knows of its results. Those of the state are kept
// while they fit into a payload; those for files leave as files fill.
type writing struct {
	to             *resultWriter // nil: as COMPACT
	bucket, prefix string
	results        []any // by child
	size           int   // bytes of results
	dropped        bool  // they do not fit

	files    map[string]*resultFiles // by status
	open     int                     // writes under way
	ending   bool                    // no results come any more
	manifest string                  // key, once it is being written
}

// resultFiles are the files of one status.
type resultFiles struct {
	body bytes.Buffer
	done []any // {Key, Size}
}

func (w *writing) external() bool { return w.to != nil && w.to.resource != "" }

func (w *writing) behind() bool { return w.open >= maxWrites }

func (x *Execution) writing(act *activity, input any) (*writing, error) {
	w := &writing{to: act.state.distributed.writer, files: map[string]*resultFiles{}}
	if !w.external() {
		return w, nil
	}
	v, err := w.to.arguments.eval(x.scope(act, input))
	if err != nil {
		return nil, err
	}
	o, _ := v.(map[string]any)
	w.bucket, _ = o["Bucket"].(string)
	w.prefix, _ = o["Prefix"].(string)
	if w.bucket == "" {
		return nil, &stateError{errResultWriter, "The ResultWriter has no Bucket."}
	}
	if w.prefix = strings.Trim(w.prefix, "/"); w.prefix != "" {
		w.prefix += "/"
	}
	w.prefix += act.run.id + "/"
	return w, nil
}

// keepResult takes what a child gave: output, or how it failed.
func (x *Execution) keepResult(r *mapRun, c *childRun, output *any, e *stateError) {
	w := r.out
	v := any(nil)
	if output != nil && (w.to == nil || w.to.transformation != "NONE") {
		v = *output
	} else {
		v = x.record(c, output, e)
	}
	if w.external() {
		x.write(r, status(e), v)
		return
	}
	if w.size += maxPayload - measure(v, maxPayload, maxDepth) + 1; w.size > maxPayload+1 {
		w.dropped, w.results = true, nil
	}
	if w.dropped {
		return
	}
	for len(w.results) <= c.index {
		w.results = append(w.results, nil)
	}
	w.results[c.index] = v
}

func status(e *stateError) string {
	switch {
	case e == nil:
		return "SUCCEEDED"
	case e == errStopped:
		return "ABORTED"
	case e.name == errTimeout:
		return "TIMED_OUT"
	}
	return "FAILED"
}

// record is a child as AWS writes it into its files.
func (x *Execution) record(c *childRun, output *any, e *stateError) any {
	s := status(e)
	o := map[string]any{
		"ExecutionArn": x.childArn(c), "Name": c.name, "StateMachineArn": x.childMachine(c),
		"Input": string(encode(c.input)), "InputDetails": map[string]any{"Included": true},
		"RedriveCount": number(0), "RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": "Execution is " + s + " and cannot be redriven",
		"StartDate": rfc3339(c.started), "Status": s, "StopDate": rfc3339(x.current.At),
	}
	if output != nil {
		o["Output"], o["OutputDetails"] = string(encode(*output)), map[string]any{"Included": true}
	} else if e != errStopped {
		o["Error"], o["Cause"] = e.name, e.cause
	}
	return o
}

// result is the state's result of a run without files.
func (w *writing) result(tooLarge *stateError) (any, error) {
	list := w.results
	if list == nil {
		list = []any{}
	}
	if w.to != nil && w.to.transformation == "FLATTEN" {
		flat := []any{}
		for _, v := range list {
			flat = append(flat, flattened(v)...)
		}
		list = flat
	}
	var result any = list
	if w.to != nil && w.to.lines {
		var lines strings.Builder
		for _, v := range list {
			lines.Write(append(encode(v), '\n'))
		}
		result = lines.String()
	}
	if w.dropped || !fits(result) {
		return nil, tooLarge
	}
	return result, nil
}

func flattened(v any) []any {
	if inner, ok := v.([]any); ok {
		return inner
	}
	return []any{v}
}

// write appends a result to the file of its status.
func (x *Execution) write(r *mapRun, status string, v any) {
	w := r.out
	if status != "SUCCEEDED" {
		status = "FAILED"
	}
	f := w.files[status]
	if f == nil {
		f = &resultFiles{}
		w.files[status] = f
	}
	values := []any{v}
	if w.to.transformation == "FLATTEN" && status == "SUCCEEDED" {
		values = flattened(v)
	}
	for _, v := range values {
		switch {
		case w.to.lines:
		case f.body.Len() == 0:
			f.body.WriteByte('[')
		default:
			f.body.WriteByte(',')
		}
		f.body.Write(encode(v))
		if w.to.lines {
			f.body.WriteByte('\n')
		}
	}
	if f.body.Len() >= maxFile {
		x.put(r, status)
	}
}

// put hands a file over.
func (x *Execution) put(r *mapRun, status string) {
	w := r.out
	f := w.files[status]
	if f == nil || f.body.Len() == 0 {
		return
	}
	name := status + "_" + strconv.Itoa(len(f.done)) + ".json"
	if w.to.lines {
		name += "l"
	} else {
		f.body.WriteByte(']')
	}
	f.done = append(f.done, map[string]any{"Key": w.prefix + name, "Size": number(int64(f.body.Len()))})
	x.putObject(r, w.prefix+name, f.body.String())
	f.body.Reset()
}

func (x *Execution) putObject(r *mapRun, key, text string) {
	r.out.open++
	input := map[string]any{"Bucket": r.out.bucket, "Key": key, "ContentType": "application/json", "Body": text}
	x.issue(r.act, roleWriter, Command{ID: x.newID(), Kind: RunTask, State: r.act.state.name, Resource: r.out.to.resource, Input: encode(input)})
}

// flush hands over what is left, and the manifest once all else is written.
func (x *Execution) flush(r *mapRun, ending bool) {
	w := r.out
	if ending && !w.ending {
		w.ending, r.counts.Writing = true, true
		x.put(r, "SUCCEEDED")
		x.put(r, "FAILED")
	}
	if w.open > 0 || !w.ending || w.manifest != "" {
		return
	}
	w.manifest = w.prefix + "manifest.json"
	files := map[string]any{"PENDING": []any{}}
	for _, status := range []string{"SUCCEEDED", "FAILED"} {
		files[status] = []any{}
		if f := w.files[status]; f != nil {
			files[status] = slices.Clone(f.done)
		}
	}
	x.putObject(r, w.manifest, string(encode(map[string]any{"DestinationBucket": w.bucket, "MapRunArn": x.mapRunArn(r), "ResultFiles": files})))
}

// written is the answer to a write.
func (x *Execution) written(p *pending) {
	r := p.act.run
	x.release(p.command.ID)
	r.out.open--
	switch {
	case !r.out.ending:
		x.goOn(r)
	case r.out.manifest == "" || r.out.open > 0:
		x.flush(r, true)
	case r.failure != nil:
		x.failRun(r, r.failure)
	default:
		x.succeedRun(r, map[string]any{"MapRunArn": x.mapRunArn(r), "ResultWriterDetails": map[string]any{"Bucket": r.out.bucket, "Key": r.out.manifest}})
	}
}
