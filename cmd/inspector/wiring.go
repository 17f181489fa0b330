package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"inspector"
	"inspector/camera"
	"inspector/notify"
	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
)

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

// vacant reports ports that cannot be listened on. Nobody listens yet: who
// connected would wait for an answer until the models are proven.
func (c Config) vacant() error {
	ports := append(c.brokerPorts(), [2]string{"web.listen", c.Web.Listen})
	var errs []error
	for _, p := range ports {
		l, err := net.Listen("tcp", p[1])
		if err == nil {
			err = l.Close()
		} else {
			err = fmt.Errorf("%s: %w; end the program that has it (ss -ltnp names it), or set %s to another address of this machine", p[0], err, p[0])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// openMessaging gives the client, and the embedded broker if it is wanted,
// which listens already.
func openMessaging(c Config, topics notify.Topics, log *slog.Logger) (*notify.Broker, *notify.Client, error) {
	m := c.messaging(topics)
	if c.MQTT.Broker != embeddedBroker {
		return nil, notify.NewClient(m, log), m.Validate()
	}
	b := notify.NewBroker(c.broker(), log)
	if err := b.Listen(); err != nil {
		return nil, nil, err
	}
	return b, notify.NewClient(b.Client(m), log), nil
}

// toBroker is how another client of ours reaches the broker, which listens.
func toBroker(c Config, embedded *notify.Broker) notify.Config {
	m := c.messaging(notify.Topics{})
	if embedded != nil {
		return embedded.Client(m)
	}
	return m
}

// openUpstream gives what takes evidence and records, and how to close it.
func openUpstream(c Config) (keeper, func(), error) {
	u := c.Upstream
	if u.Kind == "folder" {
		f, err := upstream.NewFolder(upstream.FolderConfig{Dir: c.upstreamFolder(), Bucket: u.Bucket, Queue: u.QueueURL})
		return f, func() {}, err
	}
	s3, err := upstream.NewS3(u.s3())
	if err != nil {
		return nil, nil, err
	}
	named, err := openQueues(upstream.SQSConfig{QueueURL: u.QueueURL, Region: u.Region, Limit: u.QueueLimit, Large: s3, LargePrefix: u.Prefix})
	if err != nil {
		return nil, nil, err
	}
	both := amazon{S3: s3, queues: named}
	if !isQueueURL(u.QueueURL) {
		both.folder, err = upstream.NewFolder(upstream.FolderConfig{Dir: c.upstreamFolder(), Bucket: u.Bucket, Queue: u.QueueURL})
	}
	return both, func() { named.close(); s3.Close() }, err
}

// s3 is what the S3 needs.
func (u UpstreamConfig) s3() upstream.S3Config {
	how := u.S3.Encryption
	if how == "none" {
		how = "" // as the bucket has it
	}
	return upstream.S3Config{
		Bucket: u.Bucket, Region: u.Region, Endpoint: u.Endpoint, PathStyle: u.PathStyle, InstanceRole: u.S3.InstanceRole,
		Multipart: int64(u.S3.Multipart), Bandwidth: int64(u.S3.Bandwidth), Parallel: u.S3.Parallel,
		StorageClass: u.S3.StorageClass, Encryption: how, KMSKey: u.S3.KMSKey,
	}
}

// of is what the execution of a board knows of upstream, for ever: where its
// objects go, with which tags, and, if it is to go there though it passed, when.
func (u UpstreamConfig) of(i inspector.Inspection) map[string]any {
	out := map[string]any{"bucket": u.Bucket, "prefix": u.Prefix, "queue": u.QueueURL, "keys": u.keys(i), "tags": u.tags(i)}
	if u.Passes {
		h, _ := parseHours(u.S3.Hours.Passes) // it was checked; wrong ones are the whole day
		out["passes_at"] = h.next(i.At, time.Local).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return out
}

func cameraConfig(c Config, s *simulation) camera.Config {
	return camera.Config{
		Source: c.Camera.Source, Period: c.Camera.Period, MaxAge: c.Camera.MaxAge,
		OpenTimeout: c.Camera.OpenTimeout, ReadTimeout: c.Camera.ReadTimeout, MaxPixels: maxStill, Draw: s.still,
	}
}

// openEngine makes the engine, at rest, and what turns events into deliveries.
func openEngine(ctx context.Context, c Config, disk *store.Store, named functions, log *slog.Logger) (*workflow.Engine, *events, error) {
	told, err := newEvents(c, log)
	if err != nil {
		return nil, nil, err
	}
	e := workflow.New(disk, log, workflow.Options{Remedy: remedy, Lane: told.lane(named.lane), Emit: told.emit, Account: c.Station.Device, Reserved: isBoard})
	return e, told, told.deploy(ctx, e)
}

// isBoard reports whether a name is of the form of an inspection's ID. Whoever
// took that of a board to come would stop the line when it comes.
func isBoard(name string) bool {
	_, err := store.ParseID(name)
	return err == nil
}

// begin makes the first transitions of what follows a verdict: the
// inspection's execution, and who is told of it by rules.
func (a *works) begin(i inspector.Inspection) ([]workflow.Transition, error) {
	all, err := begin(a.preparer(), a.machine, a.config, a.topics, i)
	if err != nil {
		return nil, err
	}
	return append(all, a.events.prepare(i)...), nil
}

// begin makes the first transitions of an inspection's execution; machine is
// the hash of the shipped definition.
func begin(e preparer, machine string, c Config, topics notify.Topics, i inspector.Inspection) ([]workflow.Transition, error) {
	evidence := map[string]string{}
	for _, b := range i.Evidence {
		evidence[b.Kind] = bodyEvidence + b.Path
		if b.Kind == "image" {
			evidence["overlay"] = bodyOverlay + i.ID
		}
	}
	input, err := json.Marshal(map[string]any{
		"inspection": i,
		"evidence":   evidence,
		"station":    i.Station,
		"topics":     map[string]string{"result": topics.Result, "alert": topics.Alert},
		"upstream":   c.Upstream.of(i),
		"filters":    filters(i),
	})
	if err != nil {
		return nil, err
	}
	return prepare(e, []string{workflow.InspectionMachine + ":" + lineAlias, workflow.InspectionMachine, machine}, i.ID, input)
}

// lineAlias is the alias that boards begin by, if there is one: so a changed
// workflow can be tried on some of them first.
const lineAlias = "line"

// prepare begins an execution on the first machine on which it can: a board
// begins on the shipped definition rather than not at all.
func prepare(e preparer, machines []string, id string, input json.RawMessage) (begun []workflow.Transition, err error) {
	for _, m := range machines {
		if begun, err = e.Prepare(m, id, input, time.Now().UTC()); err == nil {
			break
		}
	}
	return begun, err
}
