package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"inspector/camera"
	"inspector/notify"
	"inspector/store"
	"inspector/web"
)

// doctorCommand checks each part as the appliance would use it, and says what
// to do about those that are not well. Exit code 1: some are not.
func doctorCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c, err := configured("doctor", "Checks camera, model, disk, broker, clock, upstream, channels, what is paused, and what waits for each target. Exit code 0: all well, 1: not.", args, env, stderr)
	if err != nil {
		return err
	}
	sick := false
	for _, part := range []struct {
		name  string
		check func(context.Context, Config) (string, error)
	}{
		{"camera", checkCamera}, {"model", checkModel}, {"disk", checkDisk}, {"broker", checkBroker}, {"clock", checkClock}, {"upstream", checkUpstream}, {"channels", checkChannels}, {"workflow", checkHolds}, {"cluster", checkCluster},
	} {
		if part.name == "cluster" && c.Workflow.Engine != engineTemporal {
			continue
		}
		words, err := part.check(ctx, c)
		if ctx.Err() != nil {
			return errInterrupted // what a part says now is no finding
		}
		if err != nil {
			words, sick = err.Error(), true
		}
		if _, err := fmt.Fprintln(stdout, finding{part.name, words, err != nil}); err != nil {
			return err
		}
	}
	for _, f := range targetLines(ctx, c) {
		sick = sick || f.fault
		if _, err := fmt.Fprintln(stdout, f); err != nil {
			return err
		}
	}
	if sick {
		return exit{code: 1}
	}
	return nil
}

func checkCamera(ctx context.Context, c Config) (string, error) {
	return camera.Probe(ctx, cameraConfig(c, newSimulation(c.Simulated)))
}

// checkModel has the model prove itself as at the start of the appliance.
func checkModel(ctx context.Context, c Config) (string, error) {
	j, err := openJudges(ctx, c, nil)
	if err != nil {
		return "", err
	}
	words, refusals := j.words(), j.refusals()
	errs := []error{j.Close(), j.check("")}
	for _, ref := range slices.SortedFunc(maps.Keys(refusals), byName) {
		errs = append(errs, fmt.Errorf("%s: %w", ref, refusals[ref]))
	}
	return words, errors.Join(errs...)
}

func checkDisk(_ context.Context, c Config) (string, error) {
	if err := os.MkdirAll(c.Data, 0o750); err != nil {
		return "", fmt.Errorf("%w; set data to a directory that can be written", err)
	}
	probe := filepath.Join(c.Data, "doctor.part-probe")
	f, err := os.Create(probe)
	if err != nil {
		return "", fmt.Errorf("%w; set data to a directory that can be written", err)
	}
	defer os.Remove(probe)
	begun := time.Now()
	_, err = f.Write(make([]byte, 4096))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("%w; free space, or move data to another disk", err)
	}
	took := time.Since(begun).Round(10 * time.Microsecond)
	free, total, err := store.FreeAt(c.Data)
	if err != nil {
		return "", err
	}
	m := c.Disk.on(total)
	if level := m.after(diskRoomy, free); level != diskRoomy {
		return "", fmt.Errorf("%s free on the disk of %s, less than %s: level %v (docs/delivery.md says what is given up); free space, or move data to a larger disk", bytesWords(free), c.Data, bytesWords(m.below[level]), level)
	}
	return fmt.Sprintf("%s can be written, 4 KiB are safe after %v, %s free", c.Data, took, bytesWords(free)), nil
}

// runningBroker asks the appliance that runs by this configuration, if there is
// one, about its broker, which could not be made to listen for that reason.
func runningBroker(ctx context.Context, c Config, inUse error) (string, error) {
	o := order{config: c, address: c.address("")}
	s, err := runningStatus(ctx, o)
	if err != nil && store.Held(c.Data) {
		return fmt.Sprintf("%s is in use, and so is %s: by the running appliance, which says no more at %s (%v)", c.MQTT.Listen, c.Data, o.address, unanswered(err, 3)), nil
	}
	if err != nil || s.Station != c.Station {
		return "", fmt.Errorf("%w; another program has that port: end it, or set mqtt.listen to another one", inUse)
	}
	for _, p := range s.Parts {
		switch {
		case p.Name == "broker" && p.State != web.OK:
			return "", fmt.Errorf("the running appliance says of its broker: %s; %s", p.Detail, p.Remedy)
		case p.Name == "broker":
			return "the running appliance's broker listens on " + c.MQTT.Listen, nil
		}
	}
	return "", inUse
}

// runningStatus asks the appliance that runs by the configuration.
func runningStatus(ctx context.Context, o order) (s web.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return s, o.ask(ctx, http.MethodGet, "/status", nil, &s)
}

// checkHolds asks the running appliance whether anything is paused.
func checkHolds(ctx context.Context, c Config) (string, error) {
	s, err := runningStatus(ctx, order{config: c, address: c.address("")})
	if err != nil || s.Station != c.Station {
		return "the appliance does not run; when it starts, its log says what is paused", nil //nolint:nilerr // that is no fault
	}
	for _, p := range s.Parts {
		if p.Name == partWorkflow {
			return "", fmt.Errorf("%s; %s", p.Detail, p.Remedy)
		}
	}
	return "nothing is paused", nil
}

// unanswered is err in words, if it is that nobody answered within seconds.
func unanswered(err error, seconds int) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it did not answer in %d s", seconds)
	}
	return err
}

func checkBroker(ctx context.Context, c Config) (string, error) {
	if c.MQTT.Broker == "embedded" {
		var at []string
		for _, p := range c.brokerPorts() {
			l, err := net.Listen("tcp", p[1])
			if err != nil {
				return runningBroker(ctx, c, err)
			}
			at = append(at, l.Addr().String())
			if err := l.Close(); err != nil {
				return "", err
			}
		}
		return "the embedded broker can listen on " + strings.Join(at, ", "), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	topics, err := notify.TopicsOf(c.MQTT.Root, c.Station)
	if err != nil {
		return "", err
	}
	topics.Availability = "" // the running appliance's word must stand
	c.Station.Device += "_doctor"
	_, client, err := openMessaging(c, topics, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	var running sync.WaitGroup
	run, stop := context.WithCancel(ctx)
	running.Go(func() { _ = client.Run(run) }) // its trouble is in Health
	defer running.Wait()
	defer stop()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		h := client.Health()
		if h.Connected {
			return c.MQTT.Broker + " lets us in", nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%s: %s; check mqtt.broker, user and password", c.MQTT.Broker, cmp.Or(h.LastError, "it did not answer in 10 s"))
		case <-tick.C:
			if h.LastError != "" {
				return "", fmt.Errorf("%s: %s; check mqtt.broker, user and password", c.MQTT.Broker, cmp.Or(h.LastError, "it did not answer in 10 s"))
			}
		}
	}
}

// checkClock finds a clock that was never set: verdicts do not depend on it,
// but people and signatures of requests do.
func checkClock(context.Context, Config) (string, error) {
	now := time.Now()
	if now.Year() < 2026 {
		return "", fmt.Errorf("it is %s by this machine's clock; set it, or let it follow a time server", now.Format(time.RFC3339))
	}
	return now.Format(time.RFC3339), nil
}

func checkUpstream(ctx context.Context, c Config) (string, error) {
	u, closeUpstream, err := openUpstream(c)
	if err != nil {
		return "", err
	}
	defer closeUpstream()
	if err := u.Check(ctx); err != nil {
		return "", err
	}
	if c.Upstream.Kind == "folder" {
		return "folder " + c.upstreamFolder() + " can be written", nil
	}
	probe := c.Upstream.probe()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := u.Put(ctx, probe); err != nil {
		return "", err
	}
	return "bucket " + c.Upstream.Bucket + " and queue " + c.Upstream.QueueURL + " answer, and the bucket takes " + probe.Key, nil
}
