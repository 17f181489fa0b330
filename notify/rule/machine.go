package rule

import "encoding/json"

// The resources of the states that deliver, each a lane of its own.
func deliverResource(d Delivery) string { return "inspector:deliver:" + d.Rule + "/" + d.Target }
func deadResource(d Delivery) string    { return "inspector:dead-letter:" + d.Rule + "/" + d.Target }

// Called is what lists of executions call the delivery's machine: rule/RULE/TARGET.
func (d Delivery) Called() string { return "rule/" + d.Rule + "/" + d.Target }

// Called is the same of a function's machine: function/NAME.
func Called(function string) string { return "function/" + function }

// Resources are who must handle the states of the delivery's machine.
func (d Delivery) Resources() (deliver, deadLetter string) {
	return deliverResource(d), deadResource(d)
}

// The names of errors that no retry helps, as the machines know them.
const (
	Refused = "Delivery.Refused"          // the other side, or the event itself
	TooOld  = "Delivery.EventAgeExceeded" // the event is older than the target's maximum age
)

type object = map[string]any

// Machine is the definition that delivers one event, {"event": …}, to the
// target: tried as its retry policy says, then a dead letter if there is one;
// without one the execution fails, and can be redriven.
// remind is of a target that is a channel.
func (t Target) Machine(d Delivery, remind Remind) (json.RawMessage, error) {
	comment := "Delivers an event of rule " + d.Rule + " to its target " + d.Target
	if t.Channel != "" {
		states, first := t.channelMachine(d, remind)
		return encode(object{"Comment": comment, "StartAt": first, "States": states})
	}
	deliver := object{
		"Type": "Task", "Resource": deliverResource(d), "ResultPath": nil, "End": true,
		"Retry": []any{
			object{"ErrorEquals": []string{Refused, TooOld}, "MaxAttempts": 0},
			object{"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 600, "MaxAttempts": t.Retry.attempts(), "JitterStrategy": "FULL"},
		},
	}
	states := object{"Deliver": deliver}
	if t.DeadLetter != nil {
		to := object{"Next": "DeadLetter", "ResultPath": "$.failure"}
		named := object{"ErrorEquals": []string{Refused, TooOld}, "Next": "DeadLetter", "ResultPath": "$.failure"}
		to["ErrorEquals"] = []string{"States.ALL"}
		deliver["Catch"] = []any{named, to}
		states["DeadLetter"] = object{"Type": "Task", "Resource": deadResource(d), "ResultPath": nil, "Retry": forever, "End": true}
	}
	return encode(object{"Comment": comment, "StartAt": "Deliver", "States": states})
}

// forever tries until somebody acts: what is at its end is the last place.
var forever = []any{object{"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 600, "MaxAttempts": 99999999, "JitterStrategy": "FULL"}}
