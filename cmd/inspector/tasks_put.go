package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
)

// What a Body of putObject stands for, if it begins so.
const (
	bodyEvidence = "evidence:" // and the path of a file of evidence: its bytes
	bodyOverlay  = "overlay:"  // and the ID of an inspection: its picture with the defects drawn on it
)

// A putInput is the input of putObject, spelled as AWS spells it.
type putInput struct {
	Bucket, Key, ContentType string
	Body                     json.RawMessage
	Metadata                 map[string]string
	Tagging                  string // NAME=VALUE&…
	StorageClass             string
	ServerSideEncryption     string
	SSEKMSKeyId              string //nolint:revive // as AWS writes it
	IfNoneMatch              string // "*" is what is done in any case
}

// object is what is to be kept, but for the body.
func (in putInput) object() (upstream.Object, error) {
	o := upstream.Object{Bucket: in.Bucket, Key: in.Key, ContentType: in.ContentType, Metadata: in.Metadata, Tags: map[string]string{},
		StorageClass: in.StorageClass, Encryption: in.ServerSideEncryption, KMSKey: in.SSEKMSKeyId}
	if in.IfNoneMatch != "" && in.IfNoneMatch != "*" {
		return o, fmt.Errorf("IfNoneMatch is %q; want *, or nothing", in.IfNoneMatch)
	}
	tags, err := url.ParseQuery(in.Tagging)
	if err != nil {
		return o, fmt.Errorf("its Tagging is not NAME=VALUE&NAME=VALUE: %w", err)
	}
	for name, values := range tags {
		if len(values) > 1 {
			return o, fmt.Errorf("its Tagging has %q twice", name)
		}
		o.Tags[name] = values[0]
	}
	return o, nil
}

// put keeps an object upstream. A Body "evidence:PATH" stands for the bytes of
// that evidence, "overlay:ID" for a drawing; a text is itself; any other JSON
// is its own text.
func (t *tasks) put(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[putInput](task)
	if err != nil {
		return nil, err
	}
	o, err := in.object()
	if err != nil {
		return nil, &malformedError{task.Resource, err}
	}
	var text string
	if json.Unmarshal(in.Body, &text) != nil {
		text = string(in.Body)
	}
	path, kept := strings.CutPrefix(text, bodyEvidence)
	id, draw := strings.CutPrefix(text, bodyOverlay)
	switch {
	case kept:
		return t.putEvidence(ctx, task, o, path)
	case draw:
		return t.putOverlay(ctx, task, o, id)
	}
	o.Body, o.Size = strings.NewReader(text), int64(len(text))
	return output(t.upstream.Put(ctx, o))
}

// putEvidence keeps a file of evidence. If it is the execution's own board's,
// its bytes are those that were recorded, or they are refused.
func (t *tasks) putEvidence(ctx context.Context, task workflow.Task, o upstream.Object, path string) (json.RawMessage, error) {
	f, err := t.store.OpenEvidence(path)
	if err != nil {
		return nil, noEvidence(task.Resource, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	o.Body, o.Size = f, info.Size()
	if blobs, err := t.store.EvidenceFor(ctx, task.Execution); err == nil {
		for _, b := range blobs {
			if b.Path == path {
				o.Size, o.SHA256 = b.Size, b.SHA256
			}
		}
	}
	return output(t.upstream.Put(ctx, o))
}

// putOverlay keeps a drawing. One at a time: the line needs the processors.
func (t *tasks) putOverlay(ctx context.Context, task workflow.Task, o upstream.Object, id string) (json.RawMessage, error) {
	t.drawing.Lock()
	drawn, of, err := overlay(ctx, t.store, id)
	t.drawing.Unlock()
	if err != nil {
		return nil, noEvidence(task.Resource, err)
	}
	o.Body, o.Size, o.Derived = bytes.NewReader(drawn), int64(len(drawn)), of
	return output(t.upstream.Put(ctx, o))
}

// noEvidence makes of an error a permanent one if the evidence is not there.
func noEvidence(resource string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoPicture) || errors.Is(err, store.ErrNotFound) {
		return &malformedError{resource, fmt.Errorf("the evidence is gone: %w", err)}
	}
	return err
}
