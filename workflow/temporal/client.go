package temporal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// A Client knows the executions of a cluster. All methods may be called from
// any goroutine at the same time.
type Client struct {
	config Config
	sdk    client.Client
	log    *slog.Logger
}

// New returns a client. Nothing is connected until something is asked. Close
// it in the end.
func New(c Config, l *slog.Logger) (*Client, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.Logger = log.NewStructuredLogger(slog.New(quiet{l.Handler()}))
	sdk, err := client.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	return &Client{config: c, sdk: sdk, log: l}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.sdk.Close() }

// quiet lets only errors of the SDK through: it logs every lost poll.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && q.Handler.Enabled(ctx, l)
}
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(name string) slog.Handler   { return quiet{q.Handler.WithGroup(name)} }

// memoStart tells whether two starts are the same.
const memoStart = "inspector-start"

// Check reports whether the cluster answers and knows the namespace.
func (c *Client) Check(ctx context.Context) error {
	if _, err := c.sdk.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("temporal: %s: %w", c.config.Address, err)
	}
	_, err := c.sdk.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.config.Namespace})
	if err != nil {
		return fmt.Errorf("temporal: namespace %s: %w", c.config.Namespace, err)
	}
	return nil
}

// Start begins the execution w, whose ID is set and, if it is known, by which
// machine it is begun: the cluster has it when this returns. The same ID with
// the same definition and input is harmless; with others it is
// workflow.ErrExists.
func (c *Client) Start(ctx context.Context, definition []byte, w engine.Execution, input json.RawMessage) error {
	id := w.ID
	if !utf8.Valid(definition) {
		return &startError{id, errors.New("the definition is not UTF-8")}
	}
	m, err := asl.Parse(definition)
	if err != nil {
		return &startError{id, err}
	}
	for _, r := range m.Resources() {
		if strings.HasPrefix(r, "arn:aws:states:::states:") && !(c.config.Home && engine.Nests(r)) {
			return &startError{id, fmt.Errorf("nobody on a cluster handles %q: run it on the embedded engine", r)}
		}
	}
	mark := startMark(m, input)
	err = c.execute(ctx, id, mark, m, enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		Start{Definition: string(definition), Input: input, Device: c.config.Device, Local: c.config.Local, Lost: c.config.Lost,
			StateMachine: w.StateMachine, Version: w.Version, Alias: w.Alias, Type: w.Type, Nests: c.config.Home, Tells: c.config.Home})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	var refused *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &already):
		return c.same(ctx, id, mark)
	case errors.As(err, &refused):
		return &startError{id, err}
	case err != nil:
		return fmt.Errorf("temporal: start execution %q: %w", id, err)
	}
	return nil
}

// A startError is a start that no retry makes right.
type startError struct {
	id  string
	err error
}

func (e *startError) Error() string {
	return fmt.Sprintf("temporal: start execution %q: %v", e.id, e.err)
}
func (e *startError) Unwrap() error   { return e.err }
func (e *startError) Permanent() bool { return true }

func (c *Client) same(ctx context.Context, id, mark string) error {
	d, err := c.sdk.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return fmt.Errorf("temporal: start execution %q: %w", id, err)
	}
	var have string
	p := d.GetWorkflowExecutionInfo().GetMemo().GetFields()[memoStart]
	if p == nil || converter.GetDefaultDataConverter().FromPayload(p, &have) != nil || have != mark {
		return &startError{id, engine.ErrExists}
	}
	return nil
}

// Stop aborts an execution; one that has ended is left as it is.
func (c *Client) Stop(ctx context.Context, id, errorName, cause string) error {
	err := c.sdk.SignalWorkflow(ctx, id, "", signalStop, stop{Error: errorName, Cause: cause})
	if isNotFound(err) {
		_, err = c.fold(ctx, id) // ended, or never was
	}
	return wrap(err, "stop", id)
}

// Redrive lets an execution go on. What of it is parked is tried again, with
// the same keys; one that failed, timed out or was stopped goes on at the state
// where it ended, as a new run of the same workflow.
func (c *Client) Redrive(ctx context.Context, id string) error {
	f, err := c.fold(ctx, id)
	switch {
	case err != nil:
		return wrap(err, "redrive", id)
	case len(f.parked) > 0 && f.x.Status() == asl.StatusRunning:
		return wrap(c.sdk.SignalWorkflow(ctx, id, "", signalRedrive, nil), "redrive", id)
	}
	journal, err := pack(f.events)
	if err != nil {
		return wrap(err, "redrive", id)
	}
	if _, _, err := f.machine.Advance(&f.x, asl.Event{Kind: asl.Redriven, At: time.Now()}); err != nil {
		return wrap(engine.ErrNotParked, "redrive", id)
	}
	mark := startMark(f.machine, f.events[0].Input)
	in := f.start
	in.Journal, in.Redrive = journal, true
	return wrap(c.execute(ctx, id, mark, f.machine, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, in), "redrive", id)
}

// startMark tells whether two starts are the same.
func startMark(m *asl.Machine, input json.RawMessage) string {
	sum := sha256.Sum256(append([]byte(m.Hash()+"\x00"), input...))
	return hex.EncodeToString(sum[:])
}

func (c *Client) execute(ctx context.Context, id, mark string, m *asl.Machine, reuse enums.WorkflowIdReusePolicy, in Start) error {
	_, err := c.sdk.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: c.config.TaskQueue, WorkflowExecutionErrorWhenAlreadyStarted: true, WorkflowIDReusePolicy: reuse,
		Memo: map[string]any{memoStart: mark}, StaticSummary: cmp.Or(m.Comment, m.Hash()),
	}, Type, in)
	return err
}

// wrap says what was tried, in the engine's errors where it has them.
func wrap(err error, what, id string) error {
	switch {
	case err == nil:
		return nil
	case isNotFound(err):
		err = engine.ErrNotFound
	case isUnavailable(err):
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("temporal: %s execution %q: %w", what, id, err)
}

func isNotFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// ErrUnavailable is given while the cluster, or every worker that could answer
// for it, cannot be reached.
var ErrUnavailable = errors.New("the Temporal cluster does not answer")

func isUnavailable(err error) bool {
	var away *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &away) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}

// answerIn bounds how long a worker may take to record an answer.
const answerIn = 20 * time.Second

func typeOf(err error) string {
	var said *temporal.ApplicationError
	if errors.As(err, &said) {
		return said.Type()
	}
	return ""
}
