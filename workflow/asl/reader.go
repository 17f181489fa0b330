package asl

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// An itemReader says where the items of a distributed Map lie.
type itemReader struct {
	resource       string // s3:getObject or s3:listObjectsV2, as in the definition
	arguments      expr
	inputType      string // CSV, JSON, JSONL, PARQUET, MANIFEST; may be empty for a list
	headerLocation string
	given          expr     // CSVHeaders: nil, or gives texts
	headers        []string // as evaluated
	delimiter      rune
	pointer        string // JSON pointer to the items; empty is the whole
	flatten        bool   // the items are in the listed objects
	athena         bool   // the manifest names files of inputType
	maxItems       setting
}

func (r *itemReader) lists() bool { return afterLast(r.resource, ':') == "listObjectsV2" }

// maxRead bounds the text of all objects that one reader reads.
const maxRead = 64 << 20

func readerError(format string, args ...any) *stateError {
	return &stateError{errItemReader, fmt.Sprintf(format, args...)}
}

// An item is what a Map iterates over, with what the context object says of it.
type item struct {
	value       any
	key, source string // empty: none
}

// An itemStream gives the items of a distributed Map in turn, decoding each when it is
// wanted. Once it has failed or ended it must not be asked again.
type itemStream struct {
	total  int
	source string
	next   func() (value any, key string, err error) // io.EOF at the end
}

func listed(values []any, source string) itemStream {
	i := -1
	return itemStream{len(values), source, func() (any, string, error) {
		if i++; i >= len(values) {
			return nil, "", io.EOF
		}
		return values[i], "", nil
	}}
}

// parse finds and counts the items of one object's text. It fails where any
// of them is not well formed.
func (r *itemReader) parse(kind, text, source string) (itemStream, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var open func() (func() (any, string, error), error)
	switch kind {
	case "CSV":
		open = func() (func() (any, string, error), error) { return r.csvItems(text) }
	case "JSON":
		inner, err := pointed(text, r.pointer)
		if err != nil {
			return itemStream{}, err
		}
		open = func() (func() (any, string, error), error) { return jsonItems(inner, r.pointer != "") }
	case "JSONL":
		open = func() (func() (any, string, error), error) { return lineItems(text), nil }
	default:
		return itemStream{}, readerError("InputType %s is not supported by this interpreter: convert the file to CSV, JSON or JSONL", kind)
	}
	all := itemStream{source: source}
	next, err := open()
	for ; err == nil; all.total++ {
		_, _, err = next()
	}
	all.total-- // the last round found the end
	if !errors.Is(err, io.EOF) {
		return itemStream{}, err
	}
	all.next, err = open()
	return all, err
}

// csvItems gives each row as an object of the headers: what a row lacks is an
// empty text, what it has beyond is left out.
func (r *itemReader) csvItems(text string) (func() (any, string, error), error) {
	rows := csv.NewReader(strings.NewReader(text))
	rows.Comma, rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = r.delimiter, -1, true, true
	headers := r.headers
	if r.headerLocation == "FIRST_ROW" {
		first, err := rows.Read()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, readerError("The CSV file could not be read: %v", err)
		}
		headers = append([]string(nil), first...)
	}
	seen := map[string]bool{}
	for _, h := range headers {
		if seen[h] {
			return nil, readerError("CSV headers cannot contain duplicates.")
		}
		seen[h] = true
	}
	return func() (any, string, error) {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil, "", io.EOF
		} else if err != nil {
			return nil, "", readerError("The CSV file could not be read: %v", err)
		}
		o := make(map[string]any, len(headers))
		for i, h := range headers {
			o[h] = ""
			if i < len(row) {
				o[h] = row[i]
			}
		}
		return o, "", nil
	}, nil
}

// jsonItems gives the elements of a list, and where pairs says so the members
// of an object with their keys.
func jsonItems(text string, pairs bool) (func() (any, string, error), error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	start, err := d.Token()
	if err != nil {
		return nil, readerError("The JSON file could not be read: %v", err)
	}
	keyed := start == json.Delim('{')
	if start != json.Delim('[') && !(keyed && pairs) {
		return nil, readerError("Attempting to map over non-iterable node.")
	}
	return func() (value any, key string, err error) {
		if !d.More() {
			if _, err := d.Token(); err != nil {
				return nil, "", readerError("The JSON file could not be read: it ends too soon")
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return nil, "", readerError("The JSON file could not be read: more than one JSON value")
			}
			return nil, "", io.EOF
		}
		if keyed {
			var t json.Token
			if t, err = d.Token(); err == nil {
				key, _ = t.(string)
			}
		}
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, "", readerError("The JSON file could not be read: %v", err)
		}
		if keyed {
			value = map[string]any{"Key": key, "Value": value}
		}
		return value, key, nil
	}, nil
}

// pointed gives the text that a JSON pointer points at.
func pointed(text, pointer string) (string, error) {
	if pointer == "" {
		return text, nil
	}
	inner := json.RawMessage(text)
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var o map[string]json.RawMessage
		var list []json.RawMessage
		switch trimmed := bytes.TrimLeft(inner, " \t\r\n"); {
		case len(trimmed) > 0 && trimmed[0] == '[':
			i, isIndex := toInt(json.Number(step))
			if err := json.Unmarshal(inner, &list); err != nil || !isIndex || i < 0 || i >= int64(len(list)) {
				return "", readerError("The ItemsPointer %q points at nothing in the JSON file.", pointer)
			}
			inner = list[i]
		default:
			if err := json.Unmarshal(inner, &o); err != nil {
				return "", readerError("The ItemsPointer %q points at nothing in the JSON file.", pointer)
			}
			found, ok := o[step]
			if !ok {
				return "", readerError("The ItemsPointer %q points at nothing in the JSON file.", pointer)
			}
			inner = found
		}
	}
	return string(inner), nil
}

// lineItems gives the value of each line that is not blank.
func lineItems(text string) func() (any, string, error) {
	n := 0
	return func() (any, string, error) {
		for text != "" {
			var line string
			line, text, _ = strings.Cut(text, "\n")
			n++
			if strings.TrimSpace(line) == "" {
				continue
			}
			v, err := decode([]byte(line))
			if err != nil {
				return nil, "", readerError("Line %d of the JSON Lines file could not be read: %v", n, err)
			}
			return v, "", nil
		}
		return nil, "", io.EOF
	}
}

// body gives the text of an object as a driver answers s3:getObject: Body is
// its text, or BodyBase64 its bytes where they are none. What is compressed by
// gzip is expanded.
func body(answer any) (string, error) {
	o, _ := answer.(map[string]any)
	text, ok := o["Body"].(string)
	if !ok {
		encoded, isText := o["BodyBase64"].(string)
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if !isText || err != nil {
			return "", readerError("The answer of s3:getObject has no Body.")
		}
		text = string(raw)
	}
	if strings.HasPrefix(text, "\x1f\x8b") {
		z, err := gzip.NewReader(strings.NewReader(text))
		if err != nil {
			return "", readerError("The object could not be expanded: %v", err)
		}
		raw, err := io.ReadAll(io.LimitReader(z, maxRead+1))
		if err != nil {
			return "", readerError("The object could not be expanded: %v", err)
		}
		text = string(raw)
	}
	switch {
	case len(text) > maxRead:
		return "", readerError("The objects to read exceed %d bytes.", maxRead)
	case !utf8.ValidString(text):
		return "", readerError("The object is not UTF-8 text.")
	}
	return text, nil
}

// context is Map.Item of the context object.
func (it *item) context(index int) any {
	o := map[string]any{"Index": number(int64(index)), "Value": it.value}
	if it.key != "" {
		o["Key"] = it.key
	}
	if it.source != "" {
		o["Source"] = it.source
	}
	return o
}

// resources are what the Map invokes itself.
func (d *distributed) resources() (out []string) {
	if r := d.reader; r != nil {
		out = append(out, r.resource)
		if r.flatten || r.athena || r.inputType == "MANIFEST" {
			out = append(out, "arn:aws:states:::s3:getObject")
		}
	}
	if w := d.writer; w != nil && w.resource != "" {
		out = append(out, w.resource)
	}
	return out
}
