package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// A distributed Map reads a list of files from the real folder, batches its
// rows and writes its results there, through the real store and engine.
func TestDistributedMapOnFolder(t *testing.T) {
	dir := t.TempDir()
	folder, err := upstream.NewFolder(upstream.FolderConfig{Dir: dir, Bucket: "boards", Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"in/1.csv": "id,verdict\n1,pass\n2,fail\n", "in/2.csv": "id,verdict\n3,unsure\n"} {
		if _, err := folder.Put(t.Context(), upstream.Object{Bucket: "boards", Key: name, Body: strings.NewReader(text), Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(t.Context(), t.TempDir(), "device")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	e := workflow.New(s, log, workflow.Options{})
	(&tasks{store: s, upstream: folder}).register(e)
	e.Handle("test:row", 2, func(_ context.Context, task workflow.Task) (json.RawMessage, error) { return task.Input, nil })
	hash, err := e.Deploy(t.Context(), []byte(`{"StartAt":"Rows","States":{"Rows":{"Type":"Map","End":true,
	  "ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"boards","Prefix":"in/"},
	    "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","Transformation":"LOAD_AND_FLATTEN"}},
	  "ItemBatcher":{"MaxItemsPerBatch":2},
	  "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"boards","Prefix":"out"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}},
	  "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Row","States":{"Row":{"Type":"Task","Resource":"test:row","End":true}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if err := e.Start(t.Context(), hash, "x", json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	var output struct {
		ResultWriterDetails struct{ Bucket, Key string }
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		x, err := e.Describe(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if x.Status == asl.StatusSucceeded {
			if err := json.Unmarshal(x.Output, &output); err != nil {
				t.Fatal(err)
			}
			break
		}
		if x.Status != asl.StatusRunning || time.Now().After(deadline) {
			t.Fatalf("%s %s %s", x.Status, x.Error, x.Cause)
		}
		<-time.After(10 * time.Millisecond)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "boards", filepath.FromSlash(output.ResultWriterDetails.Key)))
	if err != nil || !strings.Contains(string(manifest), "SUCCEEDED_0.json") {
		t.Fatalf("%s, %v", manifest, err)
	}
	results, err := os.ReadFile(filepath.Join(dir, "boards", filepath.Dir(output.ResultWriterDetails.Key), "SUCCEEDED_0.json"))
	var batches []struct {
		Items []struct{ ID, Verdict string }
	}
	if err != nil || json.Unmarshal(results, &batches) != nil || len(batches) != 2 || len(batches[0].Items)+len(batches[1].Items) != 3 {
		t.Errorf("%s, %v", results, err)
	}
}
