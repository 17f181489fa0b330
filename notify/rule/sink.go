package rule

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

// A Sink is one place that takes JSON: exactly one of its parts is set.
type Sink struct {
	MQTT      *MQTT      `yaml:"mqtt"`
	SQS       *SQS       `yaml:"sqs"`
	Object    *Object    `yaml:"object"`
	Folder    string     `yaml:"folder"` // a file each below this folder
	Webhook   *Webhook   `yaml:"webhook"`
	Slack     *Slack     `yaml:"slack"`
	Channel   string     `yaml:"channel"` // name of a channel to people
	Execution *Execution `yaml:"execution"`
	Function  string     `yaml:"function"` // name of a function: an asynchronous invocation
}

// MQTT is a topic of the appliance's broker.
type MQTT struct {
	Topic    string `yaml:"topic"`
	Retained bool   `yaml:"retained"`
}

// SQS is a queue.
type SQS struct {
	Queue string `yaml:"queue"` // its URL; without https:// a folder of messages below upstream.folder
	Group string `yaml:"group"` // of a FIFO queue
}

// Object is the store of upstream.
type Object struct {
	Bucket string `yaml:"bucket"` // empty: upstream.bucket
	Prefix string `yaml:"prefix"` // the key is PREFIX/ID.json
}

// Webhook is an address that is posted to.
type Webhook struct {
	URL         string            `yaml:"url"`
	Headers     map[string]string `yaml:"headers"`
	HeaderFiles map[string]string `yaml:"header_files"` // name: the file whose first line is the value, a secret
}

// Slack is an incoming webhook of Slack.
type Slack struct {
	URLFile string `yaml:"url_file"` // its first line is the URL, a secret
}

// Execution is a state machine on this appliance.
type Execution struct {
	Machine string `yaml:"machine"` // NAME, NAME:VERSION or NAME:ALIAS
}

// kinds names the parts that are set.
func (s Sink) kinds() (out []string) {
	for name, set := range map[string]bool{
		"mqtt": s.MQTT != nil, "sqs": s.SQS != nil, "object": s.Object != nil, "folder": s.Folder != "", "webhook": s.Webhook != nil,
		"slack": s.Slack != nil, "channel": s.Channel != "", "execution": s.Execution != nil, "function": s.Function != "",
	} {
		if set {
			out = append(out, name)
		}
	}
	return out
}

func (s Sink) faults(l *list, key string, deadLetter bool) {
	kinds := s.kinds()
	if len(kinds) != 1 {
		l.want(false, key, "want exactly one of mqtt, sqs, object, folder, webhook, slack, channel, execution, function; have %d", len(kinds))
		return
	}
	k := kinds[0]
	at := key + "." + k
	l.want(!deadLetter || k == "mqtt" || k == "sqs" || k == "folder", at, "a dead letter goes to mqtt, sqs or folder")
	switch {
	case s.MQTT != nil:
		t := s.MQTT.Topic
		l.want(t != "" && !strings.ContainsAny(t, "+#") && !strings.HasPrefix(t, "$"), at+".topic", "%q is no topic to publish to", t)
	case s.SQS != nil:
		l.want(s.SQS.Queue != "", at+".queue", "a queue is required")
	case s.Object != nil:
		l.want(s.Object.Prefix != "" && !strings.HasPrefix(s.Object.Prefix, "/"), at+".prefix", "a prefix of object keys is required, without / in front")
	case s.Webhook != nil:
		s.Webhook.faults(l, at)
	case s.Slack != nil:
		l.want(s.Slack.URLFile != "", at+".url_file", "a file is required whose first line is the URL of the incoming webhook")
	case s.Channel != "":
		l.want(nameForm.MatchString(s.Channel), at, "%q is no name of a channel", s.Channel)
	case s.Execution != nil:
		l.want(s.Execution.Machine != "", at+".machine", "a machine is required")
	case s.Function != "":
		l.want(nameForm.MatchString(s.Function), at, "%q is no name of a function", s.Function)
	}
}

func (w Webhook) faults(l *list, key string) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Hostname() == "" {
		l.want(false, key+".url", "it is not a URL such as https://HOST/PATH")
		return
	}
	w.headerFaults(l, key)
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	l.want(u.Scheme == "https" || u.Scheme == "http" && local, key+".url", "scheme %q: want https (http only to this machine)", u.Scheme)
	l.want(u.User == nil, key+".url", "take user and password out of the address; put an Authorization header into a file (header_files)")
}

// headerFaults finds what could never be sent. It does not show values.
func (w Webhook) headerFaults(l *list, key string) {
	for name, value := range w.Headers {
		l.want(headerForm.MatchString(name) && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }),
			key+".headers", "%q: want a name of letters, digits and -, and a value of one line", name)
		_, twice := w.HeaderFiles[name]
		l.want(!twice, key+".headers", "%q is in header_files, too", name)
	}
	for name, file := range w.HeaderFiles {
		l.want(headerForm.MatchString(name) && file != "", key+".header_files", "%q: want a name of letters, digits and -, and a file", name)
	}
}

var headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
