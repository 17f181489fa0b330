package main

import (
	"context"
	"encoding/json"
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

// rows reads all files below in/, two rows at a time, and writes below out/.
// What it cannot read it says.
const rows = `{"StartAt":"Rows","States":{"Rows":{"Type":"Map","End":true,
  "ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket.$":"$.bucket","Prefix":"in/"},
    "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","Transformation":"LOAD_AND_FLATTEN"}},
  "ItemBatcher":{"MaxItemsPerBatch":2},
  "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"boards","Prefix":"out"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}},
  "Catch":[{"ErrorEquals":["States.ItemReaderFailed"],"Next":"Unread"}],
  "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Row","States":{"Row":{"Type":"Task","Resource":"test:row","End":true}}}},
  "Unread":{"Type":"Pass","End":true}}}`

// distributing runs the machine rows on the real store and engine.
func distributing(t *testing.T, k keeper) *workflow.Engine {
	t.Helper()
	s, err := store.Open(t.Context(), t.TempDir(), "device")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := workflow.New(s, slog.New(slog.DiscardHandler), workflow.Options{})
	(&tasks{store: s, upstream: k}).register(e)
	e.Handle("test:row", 2, func(_ context.Context, task workflow.Task) (json.RawMessage, error) { return task.Input, nil })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e
}

// mapped is the execution of rows once it has succeeded.
func mapped(t *testing.T, e *workflow.Engine, name, input string) workflow.Description {
	t.Helper()
	hash, err := e.Deploy(t.Context(), []byte(rows))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), hash, name, json.RawMessage(input)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		x, err := e.Describe(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if x.Status == asl.StatusSucceeded {
			return x
		}
		if x.Status != asl.StatusRunning || time.Now().After(deadline) {
			t.Fatalf("%s %s %s %s", x.Status, x.Error, x.Cause, x.Parked)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A distributed Map reads what lies upstream and leaves its results there.
func distributes(t *testing.T, k keeper, dir string) {
	t.Helper()
	for name, text := range map[string]string{"in/1.csv": "id,verdict\n1,pass\n2,fail\n", "in/2.csv": "id,verdict\n3,unsure\n"} {
		if _, err := k.Put(t.Context(), upstream.Object{Bucket: "boards", Key: name, Body: strings.NewReader(text), Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
	}
	e := distributing(t, k)
	var output struct {
		ResultWriterDetails struct{ Bucket, Key string }
	}
	if err := json.Unmarshal(mapped(t, e, "x", `{"bucket":"boards"}`).Output, &output); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(output.ResultWriterDetails.Key)))
	if err != nil || !strings.Contains(string(manifest), "SUCCEEDED_0.json") {
		t.Fatalf("%s, %v", manifest, err)
	}
	results, err := os.ReadFile(filepath.Join(dir, filepath.Dir(output.ResultWriterDetails.Key), "SUCCEEDED_0.json"))
	var batches []struct {
		Items []struct{ ID, Verdict string }
	}
	if err != nil || json.Unmarshal(results, &batches) != nil || len(batches) != 2 || len(batches[0].Items)+len(batches[1].Items) != 3 {
		t.Errorf("%s, %v", results, err)
	}
	runs, err := e.MapRuns(t.Context(), "x")
	if err != nil || len(runs) != 1 || runs[0].Status != asl.StatusSucceeded || runs[0].Total != 3 || runs[0].Succeeded != 3 {
		t.Errorf("runs %+v, %v", runs, err)
	}
	var shown strings.Builder
	printExecution(&shown, describedExecution{MapRuns: runs})
	if !strings.Contains(shown.String(), "Rows SUCCEEDED: 3 items, 0 pending, 0 running, 3 succeeded, 0 failed") {
		t.Error(shown.String())
	}
	if x := mapped(t, e, "lost", `{"bucket":"nosuch"}`); !strings.Contains(string(x.Output), "States.ItemReaderFailed") {
		t.Errorf("of a bucket that is not there: %s", x.Output)
	}
}

func TestDistributedMapOnFolder(t *testing.T) {
	dir := t.TempDir()
	folder, err := upstream.NewFolder(upstream.FolderConfig{Dir: dir, Bucket: "boards", Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	distributes(t, folder, filepath.Join(dir, "boards"))
}

func TestDistributedMapOnS3(t *testing.T) {
	gateway := tool(t, "versitygw")
	const keyID, secret = "AKIDEXAMPLE", "a-secret"
	t.Setenv("AWS_ACCESS_KEY_ID", keyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	dir, port := t.TempDir(), freePort(t)
	if err := os.Mkdir(filepath.Join(dir, "boards"), 0o755); err != nil {
		t.Fatal(err)
	}
	server(t, gateway, "--iam-dir", t.TempDir(), "--access", keyID, "--secret", secret, "--port", "127.0.0.1:"+port, "--quiet", "posix", dir)
	accepts(t, port)
	s3, err := upstream.NewS3(upstream.S3Config{Bucket: "boards", Region: "us-east-1", Endpoint: "http://127.0.0.1:" + port, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s3.Close)
	distributes(t, amazon{S3: s3}, filepath.Join(dir, "boards"))
}
