package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"inspector"
	"inspector/model"
	"inspector/notify"
	"inspector/notify/sparkplug"
	"inspector/web"
)

// edge tells the hosts of Sparkplug how the appliance is; nil: it does not.
type edge struct {
	node   *sparkplug.Node
	status func(context.Context) web.Status
}

// Names of the metrics.
const (
	edgeModel  = "Model"
	edgeRecipe = "Recipe"
	edgeCamera = "Camera"
	edgeDepth  = "Queue/Depth"
	edgeParked = "Queue/Parked"

	boardID      = "Board/ID"
	boardAt      = "Board/At"
	boardVerdict = "Board/Verdict"
	boardReason  = "Board/Reason"
	boardDefects = "Board/Defects"
	boardSerial  = "Board/Serial"
	countPass    = "Count/Pass"
	countFail    = "Count/Fail"
	countUnsure  = "Count/Unsure"
	firstPass    = "Yield"
)

// sparkplug is who the edge node is.
func (c Config) sparkplug(m notify.Config) sparkplug.Config {
	s := c.MQTT.Sparkplug
	m.ClientID, m.Availability = "inspector-"+c.Station.Device+"-sparkplug", ""
	return sparkplug.Config{
		MQTT: m, Device: s.Device, Host: s.Host,
		Group: cmp.Or(s.Group, c.Station.Site), Node: cmp.Or(s.Node, c.Station.Line+"_"+c.Station.Device),
	}
}

// newEdge returns an edge node at rest, which connects as m does; nil if none
// is wanted.
func newEdge(c Config, m notify.Config, status func(context.Context) web.Status, log *slog.Logger) *edge {
	if !c.MQTT.Sparkplug.Enabled {
		return nil
	}
	none := func(kind sparkplug.Type, names ...string) (all []sparkplug.Metric) {
		for _, n := range names {
			all = append(all, sparkplug.Metric{Name: n, Type: kind})
		}
		return all
	}
	node := append(none(sparkplug.String, edgeModel, edgeRecipe, edgeCamera), none(sparkplug.Int64, edgeDepth, edgeParked)...)
	device := append(none(sparkplug.String, boardID, boardVerdict, boardReason, boardSerial), none(sparkplug.DateTime, boardAt)...)
	device = append(device, none(sparkplug.Int64, boardDefects, countPass, countFail, countUnsure)...)
	device = append(device, none(sparkplug.Double, firstPass)...)
	number := birthNumber(filepath.Join(c.Data, "sparkplug", "bdseq"))
	return &edge{node: sparkplug.New(c.sparkplug(m), node, device, number, log), status: status}
}

// birthNumber counts connections from 0 to 255 and round, durably in the file.
func birthNumber(file string) func() (uint8, error) {
	return func() (uint8, error) {
		var next uint8
		b, err := os.ReadFile(file)
		if err == nil {
			last, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 8)
			if err != nil {
				return 0, fmt.Errorf("%s holds no number from 0 to 255: delete it, and have the hosts forget this node", file)
			}
			next = uint8(last) + 1
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		return next, model.Put(file, fmt.Appendln(nil, next))
	}
}

// judged tells a board; several goroutines may call it.
func (e *edge) judged(i inspector.Inspection, _ inspector.Pixels) {
	if e == nil {
		return
	}
	e.node.Report(
		sparkplug.Metric{Name: boardID, Type: sparkplug.String, Value: i.ID, At: i.At},
		sparkplug.Metric{Name: boardAt, Type: sparkplug.DateTime, Value: i.At, At: i.At},
		sparkplug.Metric{Name: boardVerdict, Type: sparkplug.String, Value: string(i.Verdict), At: i.At},
		sparkplug.Metric{Name: boardReason, Type: sparkplug.String, Value: i.Reason, At: i.At},
		sparkplug.Metric{Name: boardDefects, Type: sparkplug.Int64, Value: int64(len(i.Defects)), At: i.At},
		sparkplug.Metric{Name: boardSerial, Type: sparkplug.String, Value: i.Serial, At: i.At},
	)
}

// Run keeps the node connected and looks once a second how the appliance is.
func (e *edge) Run(ctx context.Context) error {
	if e == nil {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.node.Run(ctx) })
	g.Go(func() error {
		for tick := time.NewTicker(time.Second); ; {
			e.look(e.status(ctx), time.Now())
			select {
			case <-ctx.Done():
				tick.Stop()
				return nil
			case <-tick.C:
			}
		}
	})
	return g.Wait()
}

// look tells what changed. The device is there while the camera is.
func (e *edge) look(s web.Status, now time.Time) {
	text := func(name, v string) sparkplug.Metric {
		return sparkplug.Metric{Name: name, Type: sparkplug.String, Value: v, At: now}
	}
	number := func(name string, v int64) sparkplug.Metric {
		return sparkplug.Metric{Name: name, Type: sparkplug.Int64, Value: v, At: now}
	}
	var depth, parked int
	for _, l := range s.Lanes {
		depth, parked = depth+l.Depth, parked+l.Parked
	}
	var camera web.Part
	for _, p := range s.Parts {
		if p.Name == "camera" {
			camera = p
		}
	}
	e.node.Tell(text(edgeModel, s.Model), text(edgeRecipe, s.Recipe), text(edgeCamera, camera.Detail), number(edgeDepth, int64(depth)), number(edgeParked, int64(parked)))
	e.node.Online(camera.State != web.Down)
	c := s.Counts
	told := []sparkplug.Metric{number(countPass, int64(c.Pass)), number(countFail, int64(c.Fail)), number(countUnsure, int64(c.Unsure))}
	if all := c.Pass + c.Fail + c.Unsure; all > 0 {
		told = append(told, sparkplug.Metric{Name: firstPass, Type: sparkplug.Double, Value: float64(c.Pass) / float64(all), At: now})
	}
	e.node.TellDevice(told...)
}

// part says how the edge node is; there is none if it is not wanted.
func (e *edge) part() (web.Part, bool) {
	if e == nil {
		return web.Part{}, false
	}
	h := e.node.Health()
	p := web.Part{Name: "sparkplug", State: web.OK, Detail: "born"}
	switch {
	case h.Born:
	case h.LastError != "":
		p.State, p.Detail, p.Remedy = web.Degraded, "not born: "+h.LastError, "check the broker and mqtt.sparkplug; hosts are told the present state when it is back"
	default:
		p.State, p.Detail, p.Remedy = web.Degraded, "not born yet", "wait for the broker, and for the host of mqtt.sparkplug.host if one is named: it must publish its STATE"
	}
	return p, true
}
