package asl

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzItemReader parses any object in every form that a reader has: a form
// that parses gives as many items as it counted, each of which is JSON, and
// what fails says States.ItemReaderFailed.
func FuzzItemReader(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,\"x\"\"y\"\n\n2\n", "\ufeffa;b\r\n1;2;3\r\n", `[1,{"a":[2.50,null]},"x"]`, `{"a":{"b":[1,2]}}`, "{\"a\":1}\n\n[2]\n", `[1,2`, "\"",
		`{"destinationBucket":"arn:aws:s3:::b","fileFormat":"CSV","fileSchema":"Bucket, Key","files":[{"key":"inv.csv"}]}`, "\"s3://b/k.csv\"\ns3://b/l\n", "\x1f\x8b\x08",
	} {
		f.Add(seed, "/a/b", true)
		f.Add(seed, "", false)
	}
	f.Fuzz(func(t *testing.T, text, pointer string, first bool) {
		if answer, err := body(map[string]any{"Body": text}); err == nil {
			text = answer
		} else {
			failsAsReader(t, err)
		}
		if pointer != "" && pointer[0] != '/' {
			return
		}
		location := map[bool]string{true: "FIRST_ROW", false: "GIVEN"}[first]
		for _, delimiter := range delimiters {
			r := &itemReader{headerLocation: location, headers: []string{"x", "y"}, delimiter: delimiter, pointer: pointer}
			countsRight(t, r, "CSV", text)
		}
		for _, kind := range []string{"JSON", "JSONL", "PARQUET"} {
			countsRight(t, &itemReader{pointer: pointer}, kind, text)
		}
		if _, _, err := manifest(text); err != nil {
			failsAsReader(t, err)
		}
		if _, err := athenaManifest(text); err != nil {
			failsAsReader(t, err)
		}
	})
}

func failsAsReader(t *testing.T, err error) {
	t.Helper()
	if e := asStateError(err); e.name != errItemReader || strings.TrimSpace(e.cause) == "" {
		t.Errorf("failed with %v", err)
	}
}

func countsRight(t *testing.T, r *itemReader, kind, text string) {
	t.Helper()
	items, err := r.parse(kind, text, "s")
	if err != nil {
		failsAsReader(t, err)
		return
	}
	for n := 0; ; n++ {
		v, _, err := items.next()
		if errors.Is(err, io.EOF) {
			if n != items.total {
				t.Errorf("%s: %d items, counted %d", kind, n, items.total)
			}
			return
		}
		if err != nil {
			t.Fatalf("%s: item %d fails after it was counted: %v", kind, n, err)
		}
		if fits(v) && !json.Valid(encode(v)) {
			t.Fatalf("%s: item %d is no JSON: %s", kind, n, encode(v))
		}
	}
}
