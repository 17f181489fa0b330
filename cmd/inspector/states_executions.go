package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"inspector/store"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// A startOrder begins an execution.
type startOrder struct {
	StateMachine string          `json:"stateMachine"` // NAME, NAME:VERSION, NAME:ALIAS
	Name         string          `json:"name"`         // empty: one is drawn
	Input        json.RawMessage `json:"input"`        // any JSON; absent: {}
	By           string          `json:"by"`
}

func (a *statesAPI) start(ctx context.Context, o startOrder) (any, error) {
	x, err := a.engine.StartExecution(ctx, workflow.Order{Machine: o.StateMachine, Name: o.Name, Input: o.Input})
	if err != nil {
		return nil, err
	}
	return execution(x), nil
}

// An executionRef names an execution, and why it is stopped.
type executionRef struct {
	Name  string `json:"name"`
	Error string `json:"error"`
	Cause string `json:"cause"`
	By    string `json:"by"`
}

// A describedExecution says all about an execution but its history.
type describedExecution struct {
	web.Execution
	RedriveStatus string          `json:"redriveStatus"` // REDRIVABLE, NOT_REDRIVABLE
	Input         json.RawMessage `json:"input,omitempty"`
	Work          []waiting       `json:"work"`
	MapRuns       []asl.MapRun    `json:"mapRuns,omitempty"`
}

// waiting is work that is not done yet.
type waiting struct {
	State    string    `json:"state"`
	Resource string    `json:"resource"` // or timer, token
	Due      time.Time `json:"due"`
	Since    time.Time `json:"since"`
	Parked   string    `json:"parked,omitempty"`
}

func (a *statesAPI) describe(ctx context.Context, r executionRef) (any, error) {
	d, err := a.engine.Describe(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	out := describedExecution{Execution: execution(d.Execution), RedriveStatus: "NOT_REDRIVABLE", Input: d.Input, Work: []waiting{}}
	if out.MapRuns, err = a.engine.MapRuns(ctx, r.Name); err != nil {
		return nil, err
	}
	if d.Parked != "" || redrivable(d.Status) {
		out.RedriveStatus = "REDRIVABLE"
	}
	for _, w := range d.Work {
		out.Work = append(out.Work, waiting{w.State, w.Lane, w.Due, w.Since, w.Parked})
	}
	return out, nil
}

func redrivable(s asl.Status) bool {
	return s == asl.StatusFailed || s == asl.StatusTimedOut || s == asl.StatusAborted
}

// A listOrder chooses executions.
type listOrder struct {
	StateMachine string    `json:"stateMachine"`
	Status       string    `json:"statusFilter"` // as on AWS, and PARKED
	Since        time.Time `json:"since"`
	Until        time.Time `json:"until"`
	Prefix       string    `json:"prefix"`
	MaxResults   int       `json:"maxResults"` // 1 to 1000; 0 is 100
	NextToken    string    `json:"nextToken"`
	By           string    `json:"by"` // of RedriveExecutions
}

func (o listOrder) filter() (store.ExecutionFilter, error) {
	f := store.ExecutionFilter{Machine: o.StateMachine, Status: o.Status, Since: o.Since, Until: o.Until, Prefix: o.Prefix, Page: o.NextToken, Limit: o.MaxResults}
	if o.MaxResults < 0 || o.MaxResults > 1000 {
		return f, invalid("maxResults: want 1 to 1000, have " + strconv.Itoa(o.MaxResults))
	}
	switch o.Status {
	case "", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED":
	case "PARKED":
		f.Status, f.Parked = "", true
	default:
		return f, invalid("statusFilter: want RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PARKED, have " + strconv.Quote(o.Status))
	}
	return f, nil
}

func invalid(text string) error {
	return &web.CodedError{Code: "ValidationException", Err: errors.New(text)}
}

// A list of executions, and how to ask for the next ones.
type executionList struct {
	Executions []web.Execution `json:"executions"`
	NextToken  string          `json:"nextToken,omitempty"`
}

func (a *statesAPI) list(ctx context.Context, o listOrder) (any, error) {
	f, err := o.filter()
	if err != nil {
		return nil, err
	}
	found, next, err := a.store.Executions(ctx, f)
	if err != nil {
		return nil, err
	}
	out := executionList{make([]web.Execution, len(found)), next}
	for i, x := range found {
		out.Executions[i] = execution(x)
	}
	return out, nil
}

// A historyOrder asks for a page of a history.
type historyOrder struct {
	Name         string `json:"name"`
	ReverseOrder bool   `json:"reverseOrder"`
	MaxResults   int    `json:"maxResults"` // 1 to 1000; 0 is 100
	NextToken    string `json:"nextToken"`
}

func (a *statesAPI) history(ctx context.Context, o historyOrder) (any, error) {
	if o.MaxResults < 0 || o.MaxResults > 1000 {
		return nil, invalid("maxResults: want 1 to 1000, have " + strconv.Itoa(o.MaxResults))
	}
	if o.MaxResults == 0 {
		o.MaxResults = 100
	}
	all, err := a.engine.History(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	if o.ReverseOrder {
		slices.Reverse(all)
	}
	from := 0
	if o.NextToken != "" {
		if from, err = strconv.Atoi(o.NextToken); err != nil || from < 0 || from > len(all) {
			return nil, &web.CodedError{Code: "InvalidToken", Err: errors.New("nextToken is not of this history: ask again without it")}
		}
	}
	to := min(from+o.MaxResults, len(all))
	out := map[string]any{"events": slices.Clip(all[from:to])}
	if to < len(all) {
		out["nextToken"] = strconv.Itoa(to)
	}
	return out, nil
}

func (a *statesAPI) stop(ctx context.Context, r executionRef) (any, error) {
	if err := a.engine.Stop(ctx, r.Name, r.Error, r.Cause); err != nil {
		return nil, err
	}
	a.audit(ctx, r.By, "stop-execution", r.Name, map[string]string{"error": r.Error, "cause": r.Cause})
	return a.describe(ctx, r)
}

func (a *statesAPI) redrive(ctx context.Context, r executionRef) (any, error) {
	if err := a.engine.Redrive(ctx, r.Name); err != nil {
		return nil, err
	}
	a.audit(ctx, r.By, "redrive-execution", r.Name, nil)
	return a.describe(ctx, r)
}

// redriven is what became of the executions that a filter chose.
type redriven struct {
	Redriven []string          `json:"redriven"`
	Refused  map[string]string `json:"refused,omitempty"` // why, by name
	Next     string            `json:"nextToken,omitempty"`
}

// redriveAll redrives a page of the executions that the filter chooses.
func (a *statesAPI) redriveAll(ctx context.Context, o listOrder) (any, error) {
	f, err := o.filter()
	if err != nil {
		return nil, err
	}
	if !f.Parked && !redrivable(asl.Status(f.Status)) {
		return nil, invalid("statusFilter: name what to redrive: PARKED, FAILED, TIMED_OUT or ABORTED")
	}
	found, next, err := a.store.Executions(ctx, f)
	if err != nil {
		return nil, err
	}
	out := redriven{[]string{}, map[string]string{}, next}
	for _, x := range found {
		if err := a.engine.Redrive(ctx, x.ID); err != nil {
			out.Refused[x.ID] = err.Error()
			continue
		}
		out.Redriven = append(out.Redriven, x.ID)
	}
	a.audit(ctx, o.By, "redrive-executions", o.StateMachine, map[string]any{"status": o.Status, "redriven": len(out.Redriven), "refused": len(out.Refused)})
	return out, nil
}

// A taskAnswer answers a task token.
type taskAnswer struct {
	TaskToken string          `json:"taskToken"`
	Output    json.RawMessage `json:"output"` // any JSON
	Error     string          `json:"error"`
	Cause     string          `json:"cause"`
}

func (a *statesAPI) succeed(ctx context.Context, t taskAnswer) (any, error) {
	if len(t.Output) == 0 {
		return nil, &web.CodedError{Code: "InvalidOutput", Err: errors.New("output: want any JSON value")}
	}
	return nil, a.engine.SendTaskSuccess(ctx, t.TaskToken, t.Output)
}

func (a *statesAPI) fail(ctx context.Context, t taskAnswer) (any, error) {
	return nil, a.engine.SendTaskFailure(ctx, t.TaskToken, t.Error, t.Cause)
}

func (a *statesAPI) heartbeat(ctx context.Context, t taskAnswer) (any, error) {
	return nil, a.engine.SendTaskHeartbeat(ctx, t.TaskToken)
}
