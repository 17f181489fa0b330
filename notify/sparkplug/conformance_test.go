package sparkplug

import (
	"regexp"
	"strings"
	"testing"

	"inspector/workflow/asl/asltest"
)

// elsewhere are requirements that are not those of an edge node as this one is,
// and why. The first that matches counts.
var elsewhere = []struct{ ids, why string }{
	{`conformance-mqtt-.*`, "of an MQTT server"},
	{`conformance-primary-host|intro-sparkplug-host-state|components-ph-state|host-topic-.*|message-flow-h?phid-.*|message-flow-hid-.*|payloads-state-.*`, "of a host"},
	{`operational-behavior-host-.*|operational-behavior-edge-node-termination-host-action-.*`, "of a host"},
	{`operational-behavior-primary-application-state-with-multiple-servers-state`, "of a host"},
	{`(topics|payloads|operational-behavior-data-commands)-[nd]cmd-.*|payloads-name-cmd-requirement`, "of a host, which sends commands"},
	{`message-flow-device-dcmd-subscribe`, "the device has no outputs to write"},
	{`payloads-template-.*|topics-nbirth-templates`, "no templates are used"},
	{`payloads-dataset-.*`, "no data sets are used"},
	{`payloads-propertyset-.*|payloads-metric-propertyvalue-.*`, "no properties are used"},
	{`payloads-alias-.*|operational-behavior-data-commands-rebirth-name-aliases`, "no aliases are used"},
	{`operational-behavior-primary-application-state-with-multiple-servers-walk`, "one server is configured"},
	{`payloads-ndeath-will-message-publisher-disconnect-mqtt50`, "MQTT 3.1.1 is spoken"},
	{`topic-structure-namespace-unique-edge-node-descriptor|payloads-nbirth-edge-node-descriptor|topic-structure-namespace-duplicate-device-id-.*|case-sensitivity-sparkplug-ids`, "of who names the nodes of a site"},
}

// ours are the requirements that are shown, by the name of their check. The
// first that matches counts.
var ours = []struct{ ids, check string }{
	{`principles-rbe-recommended|operational-behavior-data-publish-[nd]birth-change|topics-n?d?data-payload`, "data is what changed"},
	{`topic-structure|topic-structure-namespace-(a|valid-.*|unique-device-id|device-id-.*)`, "topics"},
	{`topics-.*-topic|message-flow-.*-(nbirth|dbirth)-topic|.*-dbirth-match-edge-node-topic`, "topics"},
	{`topics-ndeath-payload`, "deaths hold bdSeq only"},
	{`topics-ndeath-seq|payloads-ndeath-seq`, "deaths have no seq"},
	{`.*will-message(-topic|-payload|-qos|-will-retained|-retain)?|payloads-ndeath-will-message(-qos|-retain)?`, "will"},
	{`.*will-message-payload-bdSeq|topics-nbirth-bdseq-increment|payloads-ndeath-bdseq|topics-nbirth-bdseq-(included|matching)|payloads-nbirth-bdseq.*|.*nbirth-payload-bdSeq|.*rebirth-action-3`, "bdSeq"},
	{`payloads-ndeath-will-message-publisher.*|operational-behavior-edge-node-intentional-disconnect-.*`, "death before goodbye"},
	{`message-flow-edge-node-ncmd-subscribe|.*multiple-servers-state-subs`, "subscriptions"},
	{`.*multiple-servers-single-server|message-flow-edge-node-birth-publish-connect`, "one connection"},
	{`.*birth-publish-phid-wait.*|operational-behavior-edge-node-birth-sequence-wait`, "births wait for the host"},
	{`.*birth-publish-phid-offline|operational-behavior-edge-node-termination-host-offline(-reconnect|-timestamp)?`, "the host leaves"},
	{`operational-behavior-device-ddeath`, "the device dies"},
	{`.*-(mqtt|qos|retain|retained)`, "QoS 0, not retained"},
	{`.*timestamp.*|payloads-name-birth-data-requirement|operational-behavior-data-publish-[nd]birth-order`, "timestamps"},
	{`.*rebirth-metric|.*rebirth-(name|datatype|value|req)`, "rebirth metric"},
	{`.*rebirth-action-[12]`, "rebirth"},
	{`.*-(nbirth-wait|dbirth-order|ndata-order|ddata-order)`, "births come first"},
	{`.*seq.*`, "seq"},
	{`.*-metric-reqs|operational-behavior-data-publish-[nd]birth`, "births name every metric"},
	{`case-sensitivity-metric-names|.*-metrics|.*-(nbirth|dbirth)-values|payloads-name-requirement|payloads-metric-datatype-.*`, "metrics"},
	{`.*-payload`, "payloads are protobuf"},
}

// What of the specification's requirements is ours, and that each is kept, in
// what a broker and a host saw of a whole life.
func TestConformanceSparkplug(t *testing.T) {
	var all []struct{ ID, Text string }
	asltest.Corpus(t, "../..", "sparkplug/requirements.json", &all)
	r, faults := life(t, startBroker(t)), map[string][]string{}
	for name, check := range checks {
		faults[name] = check(r)
	}
	score, used := asltest.Score{Corpus: "Sparkplug 3.0 (requirements of an edge node)", Level: "kept", Floor: 100}, map[string]bool{}
	left := 0
	for _, q := range all {
		id := strings.TrimPrefix(q.ID, "tck-id-")
		if isElsewhere(id) {
			left++
			continue
		}
		name := checkOf(id)
		_, known := checks[name]
		used[name] = true
		if !score.Count(known && len(faults[name]) == 0) {
			t.Errorf("%s (%s): check %q: %v", id, q.Text, name, faults[name])
		}
	}
	for name := range checks {
		if !used[name] {
			t.Errorf("check %q shows no requirement", name)
		}
	}
	t.Logf("%d of %d requirements are not of an edge node, or of what it does not use", left, len(all))
	asltest.Report(t, score)
}

func isElsewhere(id string) bool {
	for _, e := range elsewhere {
		if regexp.MustCompile("^(" + e.ids + ")$").MatchString(id) {
			return true
		}
	}
	return false
}

func checkOf(id string) string {
	for _, o := range ours {
		if regexp.MustCompile("^(" + o.ids + ")$").MatchString(id) {
			return o.check
		}
	}
	return "none"
}
