package asl

import (
	"maps"
	"strings"
)

// startReader asks for the object or the list that holds the items.
func (x *Execution) startReader(r *mapRun, input any) error {
	reader := r.act.state.distributed.reader
	r.counts.Reading = true
	if _, err := x.maxItems(r); err != nil {
		return err
	}
	evaluated := *reader
	r.reader = &evaluated
	if reader.given != nil {
		if err := r.reader.name(x.scope(r.act, input)); err != nil {
			return err
		}
	}
	r.arguments = map[string]any{}
	if reader.arguments != nil {
		var err error
		if r.arguments, err = reader.arguments.eval(x.scope(r.act, input)); err != nil {
			return err
		}
	}
	o, _ := r.arguments.(map[string]any)
	bucket, _ := o["Bucket"].(string)
	key, _ := o["Key"].(string)
	r.from = location{bucket, key}.uri()
	x.ask(r, reader.resource, r.arguments)
	return nil
}

// name evaluates the names of the columns.
func (r *itemReader) name(s *scope) error {
	const field = "ItemReader/ReaderConfig/CSVHeaders"
	v, err := s.typed(r.given, field, "array")
	if err != nil {
		return err
	}
	for _, e := range v.([]any) {
		header, ok := e.(string)
		if !ok {
			return unexpectedType("", field, "string", e)
		}
		r.headers = append(r.headers, header)
	}
	return nil
}

func (x *Execution) ask(r *mapRun, resource string, argument any) {
	x.issue(r.act, roleReader, Command{ID: x.newID(), Kind: RunTask, State: r.act.state.name, Resource: resource, Input: encode(argument)})
}

// maxItems is 0 for all.
func (x *Execution) maxItems(r *mapRun) (int64, error) {
	n, err := x.whole(r.act, r.act.state.distributed.reader.maxItems, r.act.argument)
	if err != nil {
		return 0, readerError("%s", asStateError(err).cause)
	}
	if n < 0 {
		return 0, readerError("field MaxItems must be positive")
	}
	return n, nil
}

// readerAnswered takes what the reader asked for, and asks on or begins.
func (x *Execution) readerAnswered(p *pending, answer any) {
	r := p.act.run
	x.release(p.command.ID)
	done, err := x.readOn(r, p.command.Resource, answer)
	if err == nil && done {
		err = x.startItems(r)
	}
	if err != nil {
		x.failRun(r, err)
	}
}

// readOn gives true when all is read.
func (x *Execution) readOn(r *mapRun, resource string, answer any) (bool, error) {
	reader := r.act.state.distributed.reader
	if resource == reader.resource && reader.lists() {
		token := r.list(answer)
		if len(r.listed) > maxListed {
			return false, readerError("The list has more than %d objects.", maxListed)
		}
		if token != "" {
			o, _ := r.arguments.(map[string]any)
			next := make(map[string]any, len(o)+1)
			maps.Copy(next, o)
			next["ContinuationToken"] = token
			x.ask(r, resource, next)
			return false, nil
		}
		if !reader.flatten {
			r.parts = append(r.parts, listed(r.listed, r.from))
			r.listed = nil
			return true, nil
		}
		return x.readFile(r), nil
	}
	if err := r.keep(answer); err != nil {
		return false, err
	}
	return x.readFile(r), nil
}

// maxListed bounds the objects of one list.
const maxListed = 1_000_000

// readFile asks for the next file; true if there is none.
func (x *Execution) readFile(r *mapRun) bool {
	if len(r.files) == 0 {
		return true
	}
	f := r.files[0]
	r.files, r.from = r.files[1:], f.uri()
	x.ask(r, "arn:aws:states:::s3:getObject", map[string]any{"Bucket": f.bucket, "Key": f.key})
	return false
}

// list notes the objects of one answer of s3:listObjectsV2 and gives the token
// of the next.
func (r *mapRun) list(answer any) (token string) {
	reader := r.act.state.distributed.reader
	o, _ := answer.(map[string]any)
	argument, _ := r.arguments.(map[string]any)
	bucket, _ := argument["Bucket"].(string)
	r.from = "S3://" + bucket
	contents, _ := o["Contents"].([]any)
	for _, v := range contents {
		entry, _ := v.(map[string]any)
		key, _ := entry["Key"].(string)
		if !reader.flatten {
			r.listed = append(r.listed, v)
		} else if !strings.HasSuffix(key, "/") { // a folder's own mark
			r.files = append(r.files, location{bucket, key})
		}
	}
	token, _ = o["NextContinuationToken"].(string)
	return token
}

// keep parses one object: the items themselves, or the manifest of the files
// that hold them.
func (r *mapRun) keep(answer any) error {
	reader := r.reader
	text, err := body(answer)
	if err != nil {
		return err
	}
	if r.read += len(text); r.read > maxRead {
		return readerError("The objects to read exceed %d bytes.", maxRead)
	}
	first := !r.manifested
	switch {
	case first && reader.athena:
		r.manifested = true
		r.files, err = athenaManifest(text)
		return err
	case first && reader.inputType == "MANIFEST":
		r.manifested = true
		r.files, r.columns, err = manifest(text)
		return err
	}
	kind := reader.inputType
	if r.columns != nil {
		inventory := *reader
		inventory.headerLocation, inventory.headers, inventory.delimiter = "GIVEN", r.columns, ','
		reader, kind = &inventory, "CSV"
	}
	part, err := reader.parse(kind, text, r.from)
	if err == nil {
		r.parts = append(r.parts, part)
	}
	return err
}
