package rule

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// StatusChange is the detail-type of what an execution tells.
const StatusChange = "Step Functions Execution Status Change"

// A Change is an execution whose status changed.
type Change struct {
	Machine  string // name, or the definition's hash
	Version  int    // 0: none was asked for
	Alias    string
	Name     string
	Status   string // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	Started  time.Time
	Stopped  time.Time // zero while it runs
	Redrives int
	Redriven time.Time
	Input    json.RawMessage
	Output   json.RawMessage // of SUCCEEDED
	Error    string
	Cause    string
}

// maxPayload is how many bytes of escaped input and output an event holds;
// what is longer is left out and the event says so.
const maxPayload = 248 << 10

type included struct {
	Included bool `json:"included"`
}

// statusDetail is the detail of the event, in AWS's order.
type statusDetail struct {
	Execution     string    `json:"executionArn"`
	Machine       string    `json:"stateMachineArn"`
	Name          string    `json:"name"`
	Status        string    `json:"status"`
	Started       int64     `json:"startDate"` // ms since 1970
	Stopped       *int64    `json:"stopDate"`
	Input         *string   `json:"input"` // JSON in a string
	Output        *string   `json:"output"`
	InputDetails  included  `json:"inputDetails"`
	OutputDetails *included `json:"outputDetails"`
	Version       *string   `json:"stateMachineVersionArn"`
	Alias         *string   `json:"stateMachineAliasArn"`
	Redrives      int       `json:"redriveCount"`
	Redriven      *int64    `json:"redriveDate"`
	Redrivable    string    `json:"redriveStatus"`
	Unredrivable  *string   `json:"redriveStatusReason"`
	Error         *string   `json:"error"`
	Cause         *string   `json:"cause"`
}

// StatusChange is AWS's event for a change that came about at that time.
func (o Origin) StatusChange(c Change, at time.Time) Event {
	arn := func(kind, rest string) string {
		return fmt.Sprintf("arn:aws:states:%s:%s:%s:%s", o.Region, o.Account, kind, rest)
	}
	d := statusDetail{
		Execution: arn("execution", c.Machine+":"+c.Name), Machine: arn("stateMachine", c.Machine), Name: c.Name, Status: c.Status,
		Started: c.Started.UnixMilli(), Stopped: millis(c.Stopped), Redrives: c.Redrives, Redriven: millis(c.Redriven), Redrivable: "REDRIVABLE",
	}
	if c.Version > 0 {
		d.Version = text(d.Machine + ":" + strconv.Itoa(c.Version))
	}
	if c.Alias != "" {
		d.Alias = text(d.Machine + ":" + c.Alias)
	}
	if c.Status == "RUNNING" || c.Status == "SUCCEEDED" {
		d.Redrivable, d.Unredrivable = "NOT_REDRIVABLE", text("Execution is "+c.Status+" and cannot be redriven")
	} else {
		d.Error, d.Cause = text(c.Error), text(c.Cause)
	}
	d.hold(c)
	key := c.Machine + "\x00" + c.Name + "\x00" + strconv.Itoa(c.Redrives) + "\x00" + c.Status
	return o.event(o.States, StatusChange, key, at, []string{d.Execution}, d)
}

// hold puts in what is short enough. The cause counts, too: an event must fit
// into the input of the execution that delivers it.
func (d *statusDetail) hold(c Change) {
	input, output := string(c.Input), string(c.Output)
	if input == "" {
		input = "{}"
	}
	outputSize := 0
	if c.Status == "SUCCEEDED" {
		outputSize = escaped(output)
		d.OutputDetails = &included{outputSize <= maxPayload}
		if d.OutputDetails.Included {
			d.Output = &output
		}
	}
	if d.InputDetails.Included = escaped(input)+outputSize+escaped(c.Cause) <= maxPayload; d.InputDetails.Included {
		d.Input = &input
	}
}

// escaped is how many bytes s needs within a string of JSON.
func escaped(s string) int {
	b, err := encode(s)
	if err != nil {
		return len(s)
	}
	return len(b) - 2
}

func text(s string) *string { return &s }

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMilli()
	return &n
}
