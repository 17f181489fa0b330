package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"inspector/workflow"
)

// maxObject is the largest object that a workflow reads, in bytes.
const maxObject = 64 << 20

// get reads an object from upstream. Body is its text; bytes that are no UTF-8
// are BodyBase64.
func (t *tasks) get(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[struct{ Bucket, Key string }](task)
	if err != nil {
		return nil, err
	}
	body, err := t.upstream.Get(ctx, in.Bucket, in.Key, maxObject)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return output(map[string]any{"BodyBase64": base64.StdEncoding.EncodeToString(body), "ContentLength": len(body)}, nil)
	}
	return output(map[string]any{"Body": string(body), "ContentLength": len(body)}, nil)
}

// A listed object is spelled as Step Functions hands it to a Map. Times are
// seconds since 1970.
type listedObject struct {
	Etag         string `json:",omitempty"`
	Key          string
	LastModified int64
	Size         int64
	StorageClass string `json:",omitempty"`
}

// list gives one page of the objects below a prefix.
func (t *tasks) list(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[struct{ Bucket, Prefix, ContinuationToken string }](task)
	if err != nil {
		return nil, err
	}
	page, err := t.upstream.List(ctx, in.Bucket, in.Prefix, in.ContinuationToken)
	contents := []listedObject{}
	for _, e := range page.Entries {
		contents = append(contents, listedObject{e.ETag, e.Key, e.LastModified.Unix(), e.Size, e.StorageClass})
	}
	return output(struct {
		Contents              []listedObject
		KeyCount              int
		IsTruncated           bool
		NextContinuationToken string `json:",omitempty"`
	}{contents, len(contents), page.Next != "", page.Next}, err)
}
