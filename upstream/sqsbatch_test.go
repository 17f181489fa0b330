package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"inspector/upstream/sqstest"
)

// together sends all at once, and gives how each went. They fill batches
// however slow this machine is, so there must be a multiple of ten of them.
func together(t *testing.T, q *SQS, all []Message) []error {
	t.Helper()
	q.company = time.Hour
	defer func() { q.company = company }()
	errs := make([]error, len(all))
	var senders sync.WaitGroup
	for n, m := range all {
		senders.Go(func() {
			id, err := q.Send(t.Context(), m)
			if (id == "") != (err != nil) {
				t.Errorf("%s: ID %q with %v", m.Dedup, id, err)
			}
			errs[n] = err
		})
	}
	senders.Wait()
	return errs
}

// numbered are n messages whose bodies are their numbers.
func numbered(n int) []Message {
	all := make([]Message, n)
	for i := range all {
		all[i] = Message{Body: fmt.Sprint(i), Dedup: fmt.Sprint("k", i), Group: "line1", Attributes: map[string]string{"verdict": "fail"}}
	}
	return all
}

func bodies(all []sqstest.Stored) []string {
	var out []string
	for _, m := range all {
		out = append(out, m.Body)
	}
	return out
}

func TestSQSBatch(t *testing.T) {
	service, q := queue(t, "results")
	for n, err := range together(t, q, numbered(30)) {
		if err != nil {
			t.Errorf("message %d: %v", n, err)
		}
	}
	if n, single := service.Calls("SendMessageBatch"), service.Calls("SendMessage"); n != 3 || single != 0 {
		t.Errorf("%d batches and %d single messages; want 3 and 0", n, single)
	}
	have := service.Take("results")
	if len(slices.Compact(slices.Sorted(slices.Values(bodies(have))))) != 30 || len(have) != 30 {
		t.Errorf("the queue has %v", bodies(have))
	}
	for _, m := range have {
		if m.Attributes["key"] != "k"+m.Body || m.Attributes["verdict"] != "fail" || m.Group != "" {
			t.Errorf("%+v", m)
		}
	}
}

// Each message of a batch has its own outcome.
func TestSQSPartialFailure(t *testing.T) {
	service, q := queue(t, "results")
	service.RefuseEntries(func(body string) *sqstest.Refusal {
		return map[string]*sqstest.Refusal{
			"2": &sqstest.Throttled,
			"3": {Status: 400, Type: "InvalidMessageContents", Query: "InvalidMessageContents;Sender", Message: "no"},
			"4": {Status: 500, Type: "InternalFailure", Query: "InternalError;Receiver", Message: "we"},
			"5": {Status: 403, Type: "KmsAccessDenied", Query: "KmsAccessDenied;Sender"},
		}[body]
	})
	for n, err := range together(t, q, numbered(10)) {
		if code := map[int]string{2: "RequestThrottled", 3: "InvalidMessageContents", 4: "InternalError", 5: "KmsAccessDenied"}[n]; code != "" {
			want(t, err, code, n == 3 || n == 5)
		} else if err != nil {
			t.Errorf("message %d: %v", n, err)
		}
	}
	if have := service.Take("results"); len(have) != 6 {
		t.Errorf("the queue has %v", bodies(have))
	}
	service.RefuseEntries(nil)
	service.CorruptMD5(1, sqstest.OfAttributes)
	service.CorruptMD5(1, sqstest.OfBody)
	wrong := 0
	for _, err := range together(t, q, numbered(10)) {
		if err != nil {
			want(t, err, "WrongMD5", false)
			wrong++
		}
	}
	if wrong != 2 {
		t.Errorf("%d wrong MD5 were seen; want 2", wrong)
	}
}

// What is refused as a whole fails for all, unless it may be the fault of one.
func TestSQSWholeBatch(t *testing.T) {
	service, q := queue(t, "results")
	for _, c := range []struct {
		refusal   sqstest.Refusal
		code      string // empty: each is sent by itself
		permanent bool
	}{
		{sqstest.Throttled, "RequestThrottled", false},
		{sqstest.Refusal{Status: 503, Type: "ServiceUnavailable"}, "ServiceUnavailable", false},
		{sqstest.Refusal{Status: 403, Type: "AccessDeniedException", Query: "AccessDenied;Sender"}, "AccessDenied", true},
		{sqstest.Refusal{Status: 400, Type: "QueueDoesNotExist", Query: "AWS.SimpleQueueService.NonExistentQueue;Sender"}, "AWS.SimpleQueueService.NonExistentQueue", true},
		{sqstest.Refusal{Status: 400, Type: "BatchRequestTooLong", Query: "AWS.SimpleQueueService.BatchRequestTooLong;Sender"}, "", false},
		{sqstest.Refusal{Status: 400, Type: "InvalidParameterValueException", Query: "InvalidParameterValue;Sender"}, "", false},
	} {
		before := service.Calls("SendMessage")
		service.Refuse("SendMessageBatch", 1, c.refusal)
		for _, err := range together(t, q, numbered(10)) {
			if c.code != "" {
				want(t, err, c.code, c.permanent)
			} else if err != nil {
				t.Errorf("%s: %v", c.refusal.Type, err)
			}
		}
		if alone := service.Calls("SendMessage") - before; alone != map[bool]int{true: 10}[c.code == ""] {
			t.Errorf("%s: %d were sent by themselves", c.refusal.Type, alone)
		}
	}
}

// Who leaves takes nobody along; when all have left, nothing is sent.
func TestSQSCallersLeave(t *testing.T) {
	service, q := queue(t, "results")
	q.company = time.Hour
	gone, leave := context.WithCancel(t.Context())
	all := numbered(11)
	left := make(chan error)
	go func() { _, err := q.Send(gone, all[0]); left <- err }()
	joined := func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.open != nil && q.open.waiting == 1 }
	for !joined() {
		runtime.Gosched()
	}
	b := q.join(t.Context(), &entry{message: all[1]})
	leave()
	want(t, <-left, "Canceled", false)
	if b.ctx.Err() != nil {
		t.Fatal("the batch ended though one still waits")
	}
	q.leave(b)
	<-b.done
	if service.Calls("SendMessageBatch")+service.Calls("SendMessage") != 0 {
		t.Error("what nobody waits for was sent")
	}
	if errs := together(t, q, all[1:]); errors.Join(errs...) != nil {
		t.Error(errors.Join(errs...))
	}
}

func TestSQSBatchSize(t *testing.T) {
	_, q := queue(t, "results")
	q.company = time.Hour
	big := Message{Body: strings.Repeat("x", defaultMessage*6/10), Dedup: "k"}
	small := Message{Body: "x", Dedup: "k"}
	var all []*batch
	for _, m := range []Message{big, small, big, small} {
		all = append(all, q.join(t.Context(), &entry{message: m, size: m.size()}))
	}
	if all[0] != all[1] || all[1] == all[2] || all[2] != all[3] {
		t.Errorf("batches %p; want two of two", all)
	}
	for _, b := range all {
		q.leave(b)
	}
}

// In a FIFO queue what came first is first, over all batches; a repeat is
// dropped.
func TestSQSFIFOBatches(t *testing.T) {
	service, q := queue(t, "results.fifo")
	q.company = time.Hour
	all := numbered(100)
	for range 2 {
		var batches []*batch
		entries := make([]*entry, len(all))
		for n, m := range all {
			entries[n] = &entry{message: m, size: m.size()}
			batches = append(batches, q.join(t.Context(), entries[n]))
		}
		for n, b := range batches {
			<-b.done
			if entries[n].err != nil {
				t.Fatal(entries[n].err)
			}
			q.leave(b)
		}
	}
	have := service.Take("results.fifo")
	if len(have) != len(all) {
		t.Fatalf("the queue has %d messages; want %d", len(have), len(all))
	}
	for n, m := range have {
		if m.Body != fmt.Sprint(n) || m.Group != "line1" || m.Dedup != "k"+m.Body {
			t.Fatalf("message %d is %+v", n, m)
		}
	}
}

// A server whose answers to batches name no message gets single ones.
func TestSQSAlone(t *testing.T) {
	service := sqstest.New(keyID, secret)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "AmazonSQS.SendMessageBatch" {
			_, _ = w.Write([]byte(`{"SendMessageBatchResultEntry":[]}`))
			return
		}
		service.ServeHTTP(w, r)
	}))
	defer srv.Close()
	credentials(t, keyID, secret)
	q := sqsAt(t, srv.URL+"/"+sqstest.Account+"/results")
	if err := service.Create("results"); err != nil {
		t.Fatal(err)
	}
	for _, err := range together(t, q, numbered(10)) {
		want(t, err, "NoMessageID", false)
	}
	for _, err := range together(t, q, numbered(3)) {
		if err != nil {
			t.Error(err)
		}
	}
}

// What happens on the wire is repeated; what was done before its answer was
// lost is there twice, with one key.
func TestSQSMishaps(t *testing.T) {
	service, q := queue(t, "results")
	m := Message{Body: "x", Dedup: "d/Announce/4"}
	for mishap, c := range map[sqstest.Mishap]struct {
		code string
		done bool
	}{
		sqstest.Reset: {"ConnectionLost", false}, sqstest.LoseAnswer: {"ConnectionLost", true},
		sqstest.Silence: {"Timeout", true}, sqstest.Page: {"GarbledAnswer", false},
	} {
		service.Befall(1, mishap)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if mishap == sqstest.Silence {
			ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
		}
		_, err := q.Send(ctx, m)
		cancel()
		want(t, err, c.code, false)
		if _, err := q.Send(t.Context(), m); err != nil {
			t.Errorf("after %s: %v", c.code, err)
		}
		have := service.Take("results")
		if len(have) != 1+map[bool]int{true: 1}[c.done] {
			t.Errorf("after %s the queue has %+v", c.code, have)
		}
		for _, h := range have {
			if h.Attributes["key"] != m.Dedup {
				t.Errorf("%+v", h)
			}
		}
	}
}

// A body that is too long goes to the bucket first, and the message refers to it.
func TestSQSReference(t *testing.T) {
	endpoint, _ := bucket(t)
	store := s3At(t, endpoint, "pcb")
	service, q := queue(t, "results")
	q.config.Large, q.config.LargePrefix, q.config.Limit = store, "boards", 2000
	m := Message{Body: `"` + strings.Repeat("é", 3000) + `"`, Dedup: "dev-1/Announce/4", Attributes: map[string]string{"verdict": "fail"}}

	service.Refuse("SendMessage", 1, sqstest.Throttled)
	_, err := q.Send(t.Context(), m)
	want(t, err, "RequestThrottled", false)
	for range 2 {
		if _, err := q.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	have := service.Take("results")
	if len(have) != 2 || have[0].Body != have[1].Body || have[0].Attributes["verdict"] != "fail" || have[0].Attributes["key"] != m.Dedup {
		t.Fatalf("%+v", have)
	}
	var r Reference
	if err := json.Unmarshal([]byte(have[0].Body), &r); err != nil {
		t.Fatal(err)
	}
	body, err := store.Get(t.Context(), r.Bucket, r.Object, 1<<20)
	if err != nil || string(body) != m.Body || r.Size != int64(len(body)) || r.SHA256 != sha256Of(m.Body) ||
		r.Type != "reference" || r.Key != m.Dedup || !strings.HasPrefix(r.Object, "boards/messages/") {
		t.Errorf("%+v, %v: %d bytes", r, err, len(body))
	}
	client, err := store.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &r.Bucket, Key: &r.Object})
	if err != nil || aws.ToString(head.ContentType) != "application/json" {
		t.Errorf("%+v, %v", head, err)
	}

	q.config.Large = s3At(t, endpoint, "nosuch")
	_, err = q.Send(t.Context(), m)
	want(t, err, "NoSuchBucket", true)
	if have := service.Take("results"); len(have) != 0 {
		t.Errorf("a message refers to what is not there: %+v", have)
	}
}

// The example of the documentation is of the form that is sent, and both fit
// the schema.
func TestReferenceForm(t *testing.T) {
	const contract = "../docs/messages/"
	example, err := os.ReadFile(contract + "queue/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r Reference
	d := json.NewDecoder(bytes.NewReader(example))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	have, err := json.MarshalIndent(r, "", "  ")
	if err != nil || string(have)+"\n" != string(example) {
		t.Errorf("%v: %s", err, have)
	}
	schema, err := jsonschema.NewCompiler().Compile(contract + "reference.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(have))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Error(err)
	}
	v.(map[string]any)["sha256"] = "none"
	if schema.Validate(v) == nil {
		t.Error("the schema takes anything")
	}
}

// Messages through Send by as many callers as the lane has, against a bare
// loop of batches with the same SDK, as many at a time as fill the lane.
func BenchmarkSQSBatches(b *testing.B) {
	const callers, messages = 64, 6400
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"} {
		b.Setenv(name, "")
	}
	b.Setenv("AWS_ACCESS_KEY_ID", keyID)
	b.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	service := sqstest.New(keyID, secret)
	srv := httptest.NewServer(service)
	defer srv.Close()
	if err := service.Create("results"); err != nil {
		b.Fatal(err)
	}
	q, err := NewSQS(SQSConfig{QueueURL: srv.URL + "/" + sqstest.Account + "/results", Region: "us-east-1"})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	wire := awshttp.NewBuildableClient().GetTransport()
	defer wire.CloseIdleConnections()
	defaults, err := config.LoadDefaultConfig(b.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(srv.URL), config.WithHTTPClient(&http.Client{Transport: wire}))
	if err != nil {
		b.Fatal(err)
	}
	client := sqs.NewFromConfig(defaults)
	body := strings.Repeat("x", 1000)
	attributes := map[string]string{"verdict": "fail", "recipe": "main", "line": "line1", "class": "open", "schema": "inspector/1"}
	ours := func(name string) error {
		return shareOut(callers, messages, func(n int) error {
			_, err := q.Send(b.Context(), Message{Body: body, Dedup: name + "/" + strconv.Itoa(n), Attributes: attributes})
			return err
		})
	}
	bare := func(name string) error {
		return shareOut(callers/maxBatch, messages/maxBatch, func(n int) error {
			in := &sqs.SendMessageBatchInput{QueueUrl: &q.config.QueueURL}
			for i := range maxBatch {
				m := Message{Dedup: name + "/" + strconv.Itoa(n*maxBatch+i), Attributes: attributes}
				in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body, MessageAttributes: m.typed()})
			}
			out, err := client.SendMessageBatch(b.Context(), in)
			if err == nil && len(out.Successful) != maxBatch {
				err = fmt.Errorf("%d of %d", len(out.Successful), maxBatch)
			}
			return err
		})
	}
	ratio(b, func(name string) error { defer service.Take("results"); return ours(name) },
		func(name string) error { defer service.Take("results"); return bare(name) })
}

// shareOut lets so many workers do n pieces of work.
func shareOut(workers, n int, do func(int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && errs[w] == nil; i = next.Add(1) - 1 {
				errs[w] = do(int(i))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
