package rule

import "time"

// channelPrefix begins the resources that tell people; the channel's name
// follows.
const channelPrefix = "inspector:channel:"

// ChannelResource is the task that tells people through a channel.
func ChannelResource(channel string) string { return channelPrefix + channel }

// UrgentLane is where work of a channel that no quiet hours hold back waits.
func UrgentLane(channel string) string { return channelPrefix + channel + "/urgent" }

// AskResource is the task that says whether people must be reminded.
const AskResource = "inspector:channel-open"

// Remind is how often people are told again of a board that nobody has
// acknowledged.
type Remind struct {
	Every time.Duration // 0: never
	Times int
}

// channelMachine delivers an event to a channel, then tells again until somebody
// acknowledges the board. What the channel refuses is parked, unless there is a
// dead letter for it.
func (t Target) channelMachine(d Delivery, remind Remind) (object, string) {
	states := object{}
	deliver := t.tell(d)
	states["Deliver"] = deliver
	if remind.Every > 0 {
		delete(deliver, "End")
		deliver["Next"] = "First"
		again := t.tell(d)
		delete(again, "End")
		again["Next"] = "Count"
		again["Parameters"].(object)["reminder.$"] = "$.reminder"
		states["First"] = object{"Type": "Pass", "Result": 1, "ResultPath": "$.reminder", "Next": "Pause"}
		states["Pause"] = object{"Type": "Wait", "Seconds": int(remind.Every / time.Second), "Next": "Ask"}
		states["Ask"] = object{
			"Comment": "Whether nobody has acknowledged the board yet, nor decided.", "Type": "Task", "Resource": AskResource,
			"Parameters": object{"event.$": "$.event", "reminder.$": "$.reminder", "times": remind.Times}, "ResultPath": "$.asked", "Retry": forever, "Next": "Open",
		}
		states["Open"] = object{"Type": "Choice", "Choices": []any{object{"Variable": "$.asked.open", "BooleanEquals": true, "Next": "Remind"}}, "Default": "Known"}
		states["Remind"] = again
		states["Count"] = object{"Type": "Pass", "InputPath": "$.asked.next", "ResultPath": "$.reminder", "Next": "Pause"}
		states["Known"] = object{"Type": "Succeed"}
	}
	if t.DeadLetter != nil {
		states["DeadLetter"] = object{"Type": "Task", "Resource": deadResource(d), "ResultPath": nil, "Retry": forever, "End": true}
	}
	return states, "Deliver"
}

// tell is the state that tells people.
func (t Target) tell(d Delivery) object {
	attempts := 99999999
	if t.Retry.Attempts != nil {
		attempts = t.Retry.attempts()
	}
	all := object{"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 600, "MaxAttempts": attempts, "JitterStrategy": "FULL"}
	s := object{
		"Type": "Task", "Resource": ChannelResource(t.Channel), "ResultPath": nil, "End": true, "Retry": []any{all},
		"Parameters": object{"rule": d.Rule, "target": d.Target, "event.$": "$.event"},
	}
	if t.DeadLetter != nil {
		named := []string{Refused, TooOld}
		s["Retry"] = []any{object{"ErrorEquals": named, "MaxAttempts": 0}, all}
		s["Catch"] = []any{
			object{"ErrorEquals": named, "Next": "DeadLetter", "ResultPath": "$.failure"},
			object{"ErrorEquals": []string{"States.ALL"}, "Next": "DeadLetter", "ResultPath": "$.failure"},
		}
	}
	return s
}

// Words are what a transformer gives for a channel: a text, or a title and a
// text. Nothing says nothing: the channel's own words stand.
func (t Target) Words(rule string, event []byte) (title, text string) {
	if t.Transformer == nil {
		return "", ""
	}
	v, err := decode(event)
	if err != nil {
		return "", ""
	}
	out, err := t.Transformer.apply(v, rule, plain)
	if err != nil {
		return "", ""
	}
	said, err := decode(out)
	if err != nil {
		return "", ""
	}
	switch said := said.(type) {
	case string:
		return "", said
	case map[string]any:
		title, _ = said["title"].(string)
		text, _ = said["text"].(string)
	}
	return title, text
}

// channelFaults finds what a channel has no use for.
func (t Target) channelFaults(l *list, key string) {
	l.want(t.Input == nil && t.InputPath == "", key, "a channel lays out the event itself; for other words use transformer: a text, or {\"title\": …, \"text\": …}")
}

// plain leaves a value as it is.
func plain(s string) string { return s }
