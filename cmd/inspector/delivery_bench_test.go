package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/upstream/sqstest"
	"inspector/workflow"
)

// An outlet is the way out with real parts: store, engine, the appliance's own
// tasks, a mosquitto process, a versitygw process, and the double of SQS.
type outlet struct {
	b       *testing.B
	config  Config
	disk    *store.Store
	engine  *workflow.Engine
	topics  notify.Topics
	machine string // the shipped definition
	client  *notify.Client
	put     string // a definition that puts one object and ends
	send    string // a definition that sends one message and ends
	gateway string // its address
	port    string // of the broker
	done    atomic.Int64
	ended   chan struct{} // closed once want are done
	want    int64
	down    bool // nothing takes what it is sent
	objects *s3.Client
	queue   *sqs.Client
}

// roundTrip is what the double of SQS takes for an answer: the real one is
// never on this machine.
const roundTrip = 10 * time.Millisecond

const outletKey, outletSecret = "AKIDEXAMPLE", "a-secret-key"

// newOutlet starts what is at the other end.
func newOutlet(b *testing.B) *outlet {
	b.Helper()
	b.Setenv("AWS_ACCESS_KEY_ID", outletKey)
	b.Setenv("AWS_SECRET_ACCESS_KEY", outletSecret)
	w := &outlet{b: b, config: defaults(), port: freePort(b), ended: make(chan struct{})}
	data, s3Port := b.TempDir(), freePort(b)
	server(b, tool(b, "versitygw"), "--iam-dir", b.TempDir(), "--access", outletKey, "--secret", outletSecret, "--port", "127.0.0.1:"+s3Port, "--quiet", "posix", data)
	mosquitto(b, w.port)
	accepts(b, w.port)
	accepts(b, s3Port)
	double := sqstest.New(outletKey, outletSecret)
	queues := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		time.Sleep(roundTrip) //nolint:forbidigo // the way to Amazon and back
		double.ServeHTTP(answer, r)
	}))
	b.Cleanup(queues.Close)
	w.gateway = "http://127.0.0.1:" + s3Port
	keys := credentials.NewStaticCredentialsProvider(outletKey, outletSecret, "")
	w.objects = s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &w.gateway, UsePathStyle: true, Credentials: keys})
	w.queue = sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &queues.URL, Credentials: keys})
	_, err := w.objects.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: aws.String("boards")})
	_, err2 := w.queue.CreateQueue(b.Context(), &sqs.CreateQueueInput{QueueName: aws.String("results")})
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	c := &w.config
	c.Data, c.MQTT.Broker = b.TempDir(), "tcp://127.0.0.1:"+w.port
	c.Upstream.Kind, c.Upstream.Bucket, c.Upstream.Endpoint, c.Upstream.PathStyle = "aws", "boards", w.gateway, true
	c.Upstream.QueueURL = queues.URL + "/" + sqstest.Account + "/results"
	return w
}

// open makes what is on this machine, at rest.
func (w *outlet) open() {
	w.b.Helper()
	var err error
	if w.disk, err = store.Open(w.b.Context(), w.config.Data, w.config.Station.Device); err != nil {
		w.b.Fatal(err)
	}
	w.engine = workflow.New(w.disk, slog.New(slog.DiscardHandler), workflow.Options{})
	task := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":%q,"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1,"MaxDelaySeconds":60,"MaxAttempts":99999999}],"End":true}}}`
	for to, definition := range map[*string]string{&w.machine: string(workflow.Inspection), &w.put: fmt.Sprintf(task, putObject), &w.send: fmt.Sprintf(task, sendMessage)} {
		if *to, err = w.engine.Deploy(w.b.Context(), []byte(definition)); err != nil {
			w.b.Fatal(err)
		}
	}
	if w.topics, err = notify.TopicsOf(w.config.MQTT.Root, w.config.Station); err != nil {
		w.b.Fatal(err)
	}
	up, closeUp, err := openUpstream(w.config)
	if err != nil {
		w.b.Fatal(err)
	}
	w.client = notify.NewClient(w.config.messaging(w.topics), slog.New(slog.DiscardHandler))
	(&tasks{store: w.disk, mqtt: w.client, upstream: up, uploads: w.config.Upstream.S3.Parallel}).register(outletRegistrar{w})
	arrange(w.engine, w.config.Upstream.Rate)
	w.b.Cleanup(closeUp)
}

// counting is h, which tells when enough was done.
func (w *outlet) counting(h workflow.Handler) workflow.Handler {
	return func(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
		out, err := h(ctx, t)
		if err != nil && ctx.Err() == nil && !w.down {
			w.b.Errorf("%s: %v", t.Key, err)
		}
		if w.done.Add(1) == w.want {
			close(w.ended)
		}
		return out, err
	}
}

// run drives the executions until stop.
func (w *outlet) run() (stop func()) {
	w.b.Helper()
	ctx, cancel := context.WithCancel(w.b.Context())
	var running sync.WaitGroup
	for _, f := range []func(context.Context) error{w.client.Run, w.engine.Run} {
		running.Go(func() {
			if err := f(ctx); err != nil {
				w.b.Error(err)
			}
		})
	}
	<-w.client.Tried()
	return func() {
		cancel()
		running.Wait()
	}
}

// outletRegistrar counts what is put and sent.
type outletRegistrar struct{ *outlet }

func (r outletRegistrar) Handle(resource string, concurrency int, h workflow.Handler) {
	if resource == putObject || resource == sendMessage {
		h = r.counting(h)
	}
	r.engine.Handle(resource, concurrency, h)
}

// queued has n executions of the definition begun and waiting, with the input
// that each is given.
func (w *outlet) queued(n int, definition, name string, input func(i int) string) {
	w.b.Helper()
	for done := 0; done < n; {
		var all []workflow.Transition
		for ; done < n && len(all) < 1000; done++ {
			t, err := w.engine.Prepare(definition, fmt.Sprintf("%s-%d", name, done), json.RawMessage(input(done)), time.Now())
			if err != nil {
				w.b.Fatal(err)
			}
			all = append(all, t...)
		}
		if err := w.disk.Append(w.b.Context(), all...); err != nil {
			w.b.Fatal(err)
		}
	}
}

// picture is evidence of so many bytes on the disk of the store.
func (w *outlet) picture(size int) (path string, content []byte) {
	w.b.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	i := inspector.Inspection{ID: w.disk.NextID().String(), Station: w.config.Station, At: time.Now(), Verdict: inspector.Fail, Recipe: "r"}
	stored, err := w.disk.Accept(w.b.Context(), i, []store.Evidence{{Kind: "image", Type: "image/jpeg", Data: content}}, func(inspector.Inspection) ([]workflow.Transition, error) { return nil, nil })
	if err != nil {
		w.b.Fatal(err)
	}
	return stored.Evidence[0].Path, content
}

// Draining a backlog to S3, over a loop that only puts: as many at once, by the
// same SDK, of the same bytes, to the same server, in turn.
func BenchmarkDrainObjects(b *testing.B) {
	const objects, size = 2000, 100 << 10
	var ratios, rates []float64
	for n := 0; b.Loop(); n++ {
		w := newOutlet(b)
		w.open()
		path, content := w.picture(size)
		w.want = objects
		w.queued(objects, w.put, "drain", func(i int) string {
			return fmt.Sprintf(`{"Bucket":"boards","Key":"ours/%d","Body":"evidence:%s","ContentType":"image/jpeg"}`, i, path)
		})
		bare := func(part int) time.Duration {
			begun := time.Now()
			var running sync.WaitGroup
			var next atomic.Int64
			for range w.config.Upstream.S3.Parallel {
				running.Go(func() {
					for {
						i := next.Add(1)
						if i > objects/2 {
							return
						}
						_, err := w.objects.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("boards"), Key: aws.String(fmt.Sprintf("bare/%d/%d", part, i)),
							Body: bytes.NewReader(content), ContentType: aws.String("image/jpeg"), IfNoneMatch: aws.String("*")})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			return time.Since(begun)
		}
		took := bare(0)
		begun := time.Now()
		stop := w.run()
		<-w.ended
		ours := time.Since(begun)
		stop()
		took += bare(1)
		ratios, rates = append(ratios, took.Seconds()/ours.Seconds()), append(rates, objects/ours.Seconds())
		if err := w.disk.Close(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(rates), "objects/s")
	b.ReportMetric(0, "ns/op")
}

// Draining a backlog to SQS, over six loops that only send full batches: ours
// has up to thirteen on the way, and each gathers for some milliseconds.
func BenchmarkDrainMessages(b *testing.B) {
	const messages, loops = 10_000, 6
	body := strings.Repeat("x", 2000)
	var ratios, rates []float64
	for b.Loop() {
		w := newOutlet(b)
		w.open()
		w.want = messages
		w.queued(messages, w.send, "drain", func(i int) string {
			return fmt.Sprintf(`{"QueueUrl":%q,"MessageBody":%q}`, w.config.Upstream.QueueURL, body)
		})
		bare := func() time.Duration {
			begun := time.Now()
			var running sync.WaitGroup
			var next atomic.Int64
			for range loops {
				running.Go(func() {
					for next.Add(10) <= messages/2 {
						in := &sqs.SendMessageBatchInput{QueueUrl: &w.config.Upstream.QueueURL}
						for k := range 10 {
							in.Entries = append(in.Entries, sqstypes.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(k)), MessageBody: &body,
								MessageAttributes: map[string]sqstypes.MessageAttributeValue{"key": {DataType: aws.String("String"), StringValue: aws.String("some/key/1")}}})
						}
						if _, err := w.queue.SendMessageBatch(b.Context(), in); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			return time.Since(begun)
		}
		took := bare()
		begun := time.Now()
		stop := w.run()
		<-w.ended
		ours := time.Since(begun)
		stop()
		took += bare()
		ratios, rates = append(ratios, took.Seconds()/ours.Seconds()), append(rates, messages/ours.Seconds())
		if err := w.disk.Close(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(rates), "messages/s")
	b.ReportMetric(0, "ns/op")
}

// From a verdict to its alert at a subscriber of a real broker, durable in
// between, while a backlog of 50,000 uploads drains to a real S3.
func BenchmarkAlertBesideDrain(b *testing.B) {
	const backlog, alerts, every = 50_000, 300, 50 * time.Millisecond
	var took []time.Duration
	var uploads []float64
	for b.Loop() {
		w := newOutlet(b)
		w.open()
		path, content := w.picture(100 << 10)
		w.want = backlog
		w.queued(backlog, w.put, "drain", func(i int) string {
			return fmt.Sprintf(`{"Bucket":"boards","Key":"ours/%d","Body":"evidence:%s"}`, i, path)
		})
		var mu sync.Mutex
		arrived := map[string]time.Time{}
		c := notify.NewClient(notify.Config{URL: w.config.MQTT.Broker, ClientID: "subscriber"}, slog.New(slog.DiscardHandler))
		c.Subscribe(w.topics.Alert, func(_ context.Context, _ string, payload []byte) {
			at := time.Now()
			var m notify.Message
			if json.Unmarshal(payload, &m) == nil {
				mu.Lock()
				defer mu.Unlock()
				arrived[m.ID] = at
			}
		})
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(ctx) })
		<-c.Tried()
		stop := w.run()
		given := map[string]time.Time{}
		tick := time.NewTicker(every)
		begun, before := time.Now(), w.done.Load()
		for range alerts {
			<-tick.C
			i := inspector.Inspection{ID: w.disk.NextID().String(), Station: w.config.Station, At: time.Now(), Verdict: inspector.Fail, Recipe: "r", Reason: "a defect"}
			given[i.ID] = time.Now()
			var first []workflow.Transition
			_, err := w.disk.Accept(b.Context(), i, []store.Evidence{{Kind: "image", Type: "image/jpeg", Data: content}}, func(i inspector.Inspection) (_ []workflow.Transition, err error) {
				first, err = begin(w.engine, w.machine, w.config, w.topics, i)
				return first, err
			})
			if err != nil {
				b.Fatal(err)
			}
			w.engine.Wake(first...)
		}
		uploads = append(uploads, float64(w.done.Load()-before)/time.Since(begun).Seconds())
		tick.Stop()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			mu.Lock()
			n := len(arrived)
			mu.Unlock()
			if n == len(given) {
				break
			}
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // a benchmark's own pace
		}
		if w.done.Load() >= backlog {
			b.Error("the backlog was empty before the last alert")
		}
		stop()
		cancel()
		running.Wait()
		for id, at := range given {
			if arrived[id].IsZero() {
				b.Errorf("no alert of %s", id)
			}
			took = append(took, arrived[id].Sub(at))
		}
		if err := w.disk.Close(); err != nil {
			b.Error(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(median(uploads), "uploads/s")
	b.ReportMetric(0, "ns/op")
}

// What 100,000 boards cost that wait because everything is down: memory, and
// how the line goes on.
func BenchmarkQueuedBoards(b *testing.B) {
	const boards = 100_000
	var cost []float64
	for b.Loop() {
		w := newOutlet(b)
		w.config.MQTT.Broker, w.config.Upstream.Endpoint = "tcp://127.0.0.1:"+freePort(b), "http://127.0.0.1:"+freePort(b)
		w.open()
		from := heap()
		w.boards(boards)
		w.down = true
		stop := w.run()
		time.Sleep(5 * time.Second) //nolint:forbidigo // all lanes have met their trouble by then
		cost = append(cost, float64(heap()-from)/1e6)
		stop()
		if err := w.disk.Close(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(median(cost), "MB")
	b.ReportMetric(0, "ns/op")
}

// boards has so many boards wait that failed.
func (w *outlet) boards(boards int) {
	w.b.Helper()
	for n := 0; n < boards; n += 1000 {
		var all []workflow.Transition
		for k := range 1000 {
			i := inspector.Inspection{ID: inspector.ID{Device: "queued", Epoch: "0123abcd", Row: int64(n + k + 1)}.String(), Station: w.config.Station, At: time.Now(), Verdict: inspector.Fail, Recipe: "r"}
			first, err := begin(w.engine, w.machine, w.config, w.topics, i)
			if err != nil {
				w.b.Fatal(err)
			}
			all = append(all, first...)
		}
		if err := w.disk.Append(w.b.Context(), all...); err != nil {
			w.b.Fatal(err)
		}
	}
}

// How the line goes with 100,000 boards that wait, over how it goes with none:
// frames per second, nothing taking what it is sent, in turn.
func BenchmarkLineBesideQueue(b *testing.B) {
	const rounds, frames, boards = 3, 150, 100_000
	folder, _ := recorded(b)
	benchJudges(b) // or there is nothing to compare
	w := newOutlet(b)
	w.config.MQTT.Broker, w.config.Upstream.Endpoint = "tcp://127.0.0.1:"+freePort(b), "http://127.0.0.1:"+freePort(b)
	w.config.Camera.Source = inspector.Secret(folder)
	w.open()
	w.boards(boards)
	if err := w.disk.Close(); err != nil {
		b.Fatal(err)
	}
	var ratios []float64
	for b.Loop() {
		for range rounds {
			none := w.config
			none.Data = b.TempDir()
			before := operated(b, none, frames/2)
			with := operated(b, w.config, frames)
			without := before.plus(operated(b, none, frames/2))
			ratios = append(ratios, with.rate()/without.rate())
		}
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

// heap is the memory in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
