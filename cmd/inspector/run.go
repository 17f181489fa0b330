package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"inspector"
	"inspector/camera"
	"inspector/classify"
	"inspector/notify"
	"inspector/store"
	"inspector/upstream"
	"inspector/web"
	"inspector/workflow"
)

func runCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c, err := configured("run", "Runs the appliance until it is interrupted. Without FILE it inspects a simulated line.", args, env, stderr)
	if err != nil {
		return err
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(50) // the box is small: 25 MB less for about 0.5 % of a core
	}
	return run(ctx, c, stdout, logger(c.Log, stderr))
}

func logger(c LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration was checked
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// run is the whole appliance. It returns when ctx has ended and everything it
// started has, or with the reason why it cannot go on.
func run(ctx context.Context, c Config, stdout io.Writer, log *slog.Logger) (err error) {
	started := time.Now()
	classify.SetThreads(1) // the model has the other cores
	if err := background(); err != nil {
		log.Warn("the model has no precedence over other work", "err", err)
	}
	judges, err := openJudges(ctx, c, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, judges.Close()) }()
	judges.tell(c, log)
	disk, err := store.Open(ctx, c.Data, c.Station.Device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	if err := judges.settle(); err != nil {
		return err
	}
	up, closeUpstream, err := openUpstream(c)
	if err != nil {
		return err
	}
	defer closeUpstream()
	topics, err := notify.TopicsOf(c.MQTT.Root, c.Station)
	if err != nil {
		return err
	}

	source := cameraConfig(c, judges.simulation)
	cam, err := camera.New(source, log)
	if err != nil {
		return err
	}
	engine := workflow.New(disk, log, workflow.Options{})
	machine, err := engine.Deploy(ctx, workflow.Inspection)
	if err != nil {
		return err
	}
	broker, client, err := openMessaging(c, topics, log)
	if err != nil {
		return err
	}
	token, err := readSecret(c.Web.TokenFile)
	if err != nil {
		return err
	}
	free, err := spare(disk)
	if err != nil {
		return err
	}
	beside := newShadow(judges, disk, c.Model.ShadowKeep, free, log)
	back := &backend{store: disk, engine: engine, judges: judges, shadow: beside}
	health, err := newHealth(ctx, c, started, cam, judges, disk, client, engine)
	if err != nil {
		return err
	}
	page := web.New(web.Options{
		Listen: c.Web.Listen, Token: token, Wait: c.Trigger.Takt + 5*time.Second,
		Status: health, Archive: back, Line: back, Desk: back, Executions: back, Registry: back, Recipes: back, Shadows: back, Log: log,
	})
	address, err := page.Listen()
	if err != nil {
		return err
	}
	url := cmp.Or(c.Web.URL, "http://"+address.String())
	(&tasks{store: disk, mqtt: client, upstream: up, page: url}).register(engine)
	conveyor := newLine(&line{
		camera: cam, judges: judges, store: disk, station: c.Station, log: log,
		begin: func(i inspector.Inspection) (workflow.Transition, error) { return begin(engine, machine, c, topics, i) },
		wake:  engine.Wake, seen: both(show(page, started, log), beside.offer),
		mode: c.Trigger, passes: c.Evidence.Passes, quality: c.Evidence.Quality, sessions: c.Model.boards(),
	})
	back.line, health.line, health.broker, health.shadow = conveyor, conveyor, broker, beside
	if err := conveyor.recover(ctx); err != nil {
		return err
	}

	g, ctx := errgroup.WithContext(ctx)
	var answering sync.WaitGroup
	client.Subscribe(topics.SetTrigger, hear(&answering, conveyor, client, topics.StateTrigger, url, log))
	// What delivers outlives what produces: first the line, the engine and the
	// page stop, then the client says goodbye, then the broker closes.
	stopBroker := func() error { return nil }
	if broker != nil {
		address := broker.Addr().(*net.TCPAddr)
		stopBroker = outlive(ctx, g, func(ctx context.Context) error { return keepBroker(ctx, broker, log) })
		fmt.Fprintf(stdout, "broker  tcp://%s  (mosquitto_sub -h 127.0.0.1 -p %d -t '%s/#' -v)\n", address, address.Port, c.MQTT.Root)
	}
	stopClient := outlive(ctx, g, client.Run)
	fmt.Fprintf(stdout, "data    %s\npage    %s\n", c.Data, url)
	for _, part := range []func(context.Context) error{page.Run, cam.Run, afterwards(client.Tried(), engine.Run), conveyor.Run, beside.Run, func(ctx context.Context) error { return sweep(ctx, disk, c.Evidence.Keep, log) }} {
		g.Go(func() error { return part(ctx) })
	}
	err = g.Wait()
	answering.Wait()
	err = errors.Join(err, stopClient(), stopBroker())
	log.Info("stopped")
	return err
}

// afterwards is f once ready is closed.
func afterwards(ready <-chan struct{}, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ready:
			return f(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// outlive runs f until stop is called, beyond the end of ctx. If f fails, so
// does the group.
func outlive(ctx context.Context, g *errgroup.Group, f func(context.Context) error) (stop func() error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = f(inner)
	}()
	g.Go(func() error {
		select {
		case <-ended:
			return errors.New("a part ended by itself") // stop says which and why
		case <-ctx.Done():
			return nil
		}
	})
	return func() error {
		cancel()
		<-ended
		return err
	}
}

// keepBroker runs the broker until ctx ends. A broker that cannot go on, on a
// full disk say, does not stop the line: messages wait in the journal.
func keepBroker(ctx context.Context, b *notify.Broker, log *slog.Logger) error {
	last := ""
	for {
		began := time.Now()
		err := b.Run(ctx)
		if ctx.Err() != nil {
			return err
		}
		if words := fmt.Sprint(err); words != last || time.Since(began) > time.Minute {
			log.Error("the embedded broker stopped; it is started again until it stays", "err", err)
			last = words
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

// openMessaging gives the client, and the embedded broker if it is wanted,
// which listens already.
func openMessaging(c Config, topics notify.Topics, log *slog.Logger) (*notify.Broker, *notify.Client, error) {
	m := c.messaging(topics)
	if c.MQTT.Broker != "embedded" {
		return nil, notify.NewClient(m, log), m.Validate()
	}
	b := notify.NewBroker(notify.BrokerConfig{Listen: c.MQTT.Listen, Dir: filepath.Join(c.Data, "mqtt"), UsersFile: c.MQTT.UsersFile}, log)
	if err := b.Listen(); err != nil {
		return nil, nil, err
	}
	return b, notify.NewClient(b.Client(m), log), nil
}

// openUpstream gives what takes evidence and records, and how to close it.
func openUpstream(c Config) (keeper, func(), error) {
	u := c.Upstream
	if u.Kind == "folder" {
		f, err := upstream.NewFolder(upstream.FolderConfig{Dir: c.upstreamFolder(), Bucket: u.Bucket, Queue: u.QueueURL})
		return f, func() {}, err
	}
	s3, err := upstream.NewS3(upstream.S3Config{Bucket: u.Bucket, Region: u.Region, Endpoint: u.Endpoint, PathStyle: u.PathStyle})
	if err != nil {
		return nil, nil, err
	}
	queue, err := upstream.NewSQS(upstream.SQSConfig{QueueURL: u.QueueURL, Region: u.Region})
	if err != nil {
		return nil, nil, err
	}
	return amazon{s3, queue}, func() { s3.Close(); queue.Close() }, nil
}

func cameraConfig(c Config, s *simulation) camera.Config {
	return camera.Config{
		Source: c.Camera.Source, Period: c.Camera.Period, MaxAge: c.Camera.MaxAge,
		OpenTimeout: c.Camera.OpenTimeout, ReadTimeout: c.Camera.ReadTimeout, MaxPixels: maxStill, Draw: s.still,
	}
}

// begin makes the first transition of an inspection's execution.
func begin(e *workflow.Engine, machine string, c Config, topics notify.Topics, i inspector.Inspection) (workflow.Transition, error) {
	evidence := map[string]string{}
	for _, b := range i.Evidence {
		evidence[b.Kind] = "evidence:" + b.Path
	}
	input, err := json.Marshal(map[string]any{
		"inspection": i,
		"evidence":   evidence,
		"station":    i.Station,
		"topics":     map[string]string{"result": topics.Result, "alert": topics.Alert},
		"upstream":   map[string]string{"bucket": c.Upstream.Bucket, "prefix": c.Upstream.Prefix, "queue": c.Upstream.QueueURL},
	})
	if err != nil {
		return workflow.Transition{}, err
	}
	return e.Prepare(machine, i.ID, input, time.Now().UTC())
}

// show tells the page of every board, and gives it a new live picture when
// somebody looks, at most ten times a second. Several goroutines may call it.
func show(page *web.Server, started time.Time, log *slog.Logger) func(inspector.Inspection, inspector.Pixels) {
	var last atomic.Int64
	var first sync.Once
	return func(i inspector.Inspection, p inspector.Pixels) {
		page.Publish(i)
		first.Do(func() {
			log.Info("first verdict", "verdict", i.Verdict, "after", time.Since(started).Round(time.Millisecond))
		})
		now := time.Since(started).Milliseconds()
		before := last.Load()
		if p.Data == nil || i.Seq == 0 || !page.Watched() || now-before < 100 || !last.CompareAndSwap(before, now) {
			return
		}
		picture, err := classify.JPEG(p, 80)
		if err != nil {
			log.Error("no live picture", "inspection", i.ID, "err", err)
			return
		}
		page.Show(i.Seq, i.At, picture)
	}
}

// both tells two of every board, one after the other.
func both(a, b func(inspector.Inspection, inspector.Pixels)) func(inspector.Inspection, inspector.Pixels) {
	return func(i inspector.Inspection, p inspector.Pixels) { a(i, p); b(i, p) }
}

// hear answers triggers that come over MQTT. A board takes its time, so each
// trigger has a goroutine, which is waited for before the client stops.
func hear(answering *sync.WaitGroup, l *line, client *notify.Client, topic, page string, log *slog.Logger) notify.Handler {
	return func(ctx context.Context, _ string, payload []byte) {
		t, err := notify.ParseTrigger(payload, time.Now())
		answering.Go(func() {
			var i inspector.Inspection
			if err == nil {
				i, err = l.Trigger(ctx, t)
			}
			answer := notify.NewAnswer(i, page)
			if err != nil {
				answer = notify.Refused(t, err)
			}
			payload, err := answer.JSON()
			if err == nil {
				ctx, cancel := context.WithTimeout(ctx, deliverIn)
				defer cancel()
				err = client.Publish(ctx, topic, false, payload)
			}
			if err != nil {
				log.Warn("a trigger's answer did not get through; asked again, it is the same", "request", t.Request, "err", err)
			}
		})
	}
}

// sweep deletes what retention allows, at the start and every ten minutes: the
// evidence of closed boards that is too old, or that a full disk needs.
func sweep(ctx context.Context, disk *store.Store, keep time.Duration, log *slog.Logger) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		least, err := spare(disk)
		if free, _, freeErr := disk.Free(); err == nil && freeErr == nil && free < least {
			err = disk.PruneAsides(0) // before any evidence
		}
		var swept store.Swept
		if err == nil {
			swept, err = disk.Sweep(ctx, time.Now(), store.Retention{Passes: keep, Others: keep, MinFree: least})
		}
		if err != nil && ctx.Err() == nil {
			log.Error("retention", "err", err)
		} else if swept.Inspections > 0 {
			log.Info("retention: old evidence deleted", "inspections", swept.Inspections, "bytes", swept.Bytes)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// spare is how much of the disk is kept free for evidence to come.
func spare(disk *store.Store) (int64, error) {
	_, total, err := disk.Free()
	return min(scarceSpace, total/20), err
}
