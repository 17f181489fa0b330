package notify

import (
	"fmt"
	"strings"

	"inspector"
)

// Topics are where one appliance speaks and listens.
type Topics struct {
	Result       string // every verdict
	Alert        string // verdicts that need somebody
	Execution    string // changes of status of the boards' workflows
	Stats        string // how many, how fast, how good
	Health       string // retained: the parts, and what to do about them
	Birth        string // retained: who this is, at every connection
	Availability string // retained: online, stopped, offline (the last will)

	base string
}

// Set is the topic that takes a command.
func (t Topics) Set(command string) string { return t.base + "/set/" + command }

// State is the topic that answers a command, or says how something is.
func (t Topics) State(name string) string { return t.base + "/state/" + name }

// Line is a topic for controllers that read no JSON.
func (t Topics) Line(name string) string { return t.base + "/line/" + name }

// TopicsOf gives the topics ROOT/SITE/LINE/DEVICE/..., or an error if a level
// is empty or would change the number of levels. The root may have several
// levels itself, such as ENTERPRISE/inspector.
func TopicsOf(root string, s inspector.Station) (Topics, error) {
	type level struct{ key, name string }
	levels := []level{{"station.site", s.Site}, {"station.line", s.Line}, {"station.device", s.Device}}
	for name := range strings.SplitSeq(root, "/") {
		levels = append(levels, level{"mqtt.root", name})
	}
	for _, l := range levels {
		if l.name == "" || len(l.name) > 128 || strings.Contains(l.name, "/") || checkTopic(l.name) != nil {
			return Topics{}, fmt.Errorf("%s: %q cannot be a level of a topic; want 1 to 128 bytes without /, + and #, not beginning with $", l.key, l.name)
		}
	}
	base := strings.Join([]string{root, s.Site, s.Line, s.Device}, "/")
	if len(base) > longestBase {
		return Topics{}, fmt.Errorf("mqtt.root: with site, line and device topics would have %d bytes; at most %d", len(base), longestBase)
	}
	at := func(leaf string) string { return base + "/" + leaf }
	return Topics{
		Result: at("result"), Alert: at("alert"), Execution: at("execution"), Stats: at("stats"), Health: at("health"), Birth: at("birth"),
		Availability: at("availability"), base: base,
	}, nil
}

// longestBase leaves room for what follows in a topic.
const longestBase = 900
