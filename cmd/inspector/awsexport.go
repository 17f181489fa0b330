package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An exporter turns a definition into one that AWS Step Functions accepts, and
// notes what it relies on there. AWS's limits (a timeout of 99,999,999 s, as
// many attempts) need no change: asl.Parse knows the same ones.
type exporter struct {
	region, account string
	mapped          map[string]string // ARNs by resource, or by connection:NAME
	jsonata         bool              // the machine's language

	needs    []string // what must exist there
	actions  []string // what the role must be allowed
	notes    []string // what is not the same there
	homeless []string // resources for which no ARN is known
}

const (
	tokenSuffix  = ".waitForTaskToken"
	invokeAnswer = lambdaInvoke + tokenSuffix
	invokeHTTP   = "arn:aws:states:::http:invoke"
)

func (e *exporter) machine(o *orderedObject) {
	e.jsonata = o.text("QueryLanguage") == "JSONata"
	e.block(o)
}

func (e *exporter) block(o *orderedObject) {
	if states, ok := o.get("States").(*orderedObject); ok {
		for _, m := range states.members {
			if s, ok := m.value.(*orderedObject); ok {
				e.state(m.key, s)
			}
		}
	}
}

func (e *exporter) state(name string, s *orderedObject) {
	if s.text("Type") == "Task" {
		e.task(name, s)
	}
	branches, _ := s.get("Branches").([]any)
	for _, b := range append(branches, s.get("ItemProcessor"), s.get("Iterator")) {
		if b, ok := b.(*orderedObject); ok {
			e.block(b)
		}
	}
}

func (e *exporter) task(name string, s *orderedObject) {
	whole := s.text("Resource")
	resource, token := strings.CutSuffix(whole, tokenSuffix)
	target, mapped := e.mapped[whole]
	if !mapped {
		target, mapped = e.mapped[resource]
	}
	switch {
	case mapped && strings.HasPrefix(target, "arn:aws:states:"):
		s.set("Resource", target)
		e.service(name, target, s)
	case strings.HasPrefix(resource, "arn:") && !mapped:
		e.service(name, whole, s)
	default:
		if !mapped {
			target = e.function(resource)
		}
		e.needs = append(e.needs, fmt.Sprintf("Lambda function %s, which does what %s does here", target, resource))
		e.actions = append(e.actions, "lambda:InvokeFunction")
		if s.set("Resource", target); token {
			e.answered(name, s, target)
		}
	}
}

var unfitForName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// function is the ARN of the function that stands for a handler.
func (e *exporter) function(resource string) string {
	if e.region == "" || e.account == "" {
		e.homeless = append(e.homeless, resource)
	}
	return fmt.Sprintf("%s%s:%s:function:%s", bareFunction, e.region, e.account, lambdaName(resource))
}

// answered makes the task invoke the function and wait for the answer of who
// has the token.
func (e *exporter) answered(name string, s *orderedObject, function string) {
	s.set("Resource", invokeAnswer)
	field, payload, all := "Parameters", "Payload.$", any("$")
	if e.jsonata || s.text("QueryLanguage") == "JSONata" {
		field, payload, all = "Arguments", "Payload", "{% $states.input %}"
	}
	if given := s.get(field); given != nil {
		payload, all = "Payload", given
	}
	if said, err := writeOrdered(all); err != nil || !strings.Contains(string(said), "ask.Token") {
		e.notes = append(e.notes, name+": its input does not carry the token ($$.Task.Token), so nobody could answer")
	}
	arguments := &orderedObject{}
	arguments.set("FunctionName", function)
	arguments.set(payload, all)
	s.set(field, arguments)
}

// service notes what an AWS resource relies on; a connection gets its ARN.
func (e *exporter) service(name, resource string, s *orderedObject) {
	if strings.HasPrefix(resource, bareFunction) {
		e.needs = append(e.needs, "Lambda function "+resource)
		e.actions = append(e.actions, "lambda:InvokeFunction")
		return
	}
	action := strings.TrimPrefix(strings.TrimPrefix(resource, "arn:aws:states:::"), "aws-sdk:")
	e.actions = append(e.actions, strings.TrimSuffix(action, tokenSuffix))
	switch {
	case strings.HasPrefix(resource, invokeHTTP):
		e.connection(name, s)
	case strings.HasSuffix(resource, ":s3:putObject"):
		e.notes = append(e.notes, name+": a Body evidence:PATH or overlay:ID stands for a picture here only; there its input must hold the bytes")
		for _, field := range []string{"Parameters", "Arguments"} {
			if given, ok := s.get(field).(*orderedObject); ok && (given.get("Tagging") != nil || given.get("Tagging.$") != nil) {
				e.actions = append(e.actions, action+"Tagging")
			}
		}
	}
}

// connection gives the connection of an HTTP task its ARN.
func (e *exporter) connection(name string, s *orderedObject) {
	for _, field := range []string{"Parameters", "Arguments"} {
		arguments, _ := s.get(field).(*orderedObject)
		for _, holder := range []string{"Authentication", "InvocationConfig"} {
			inner, _ := arguments.get(holder).(*orderedObject)
			connection := inner.text("ConnectionArn")
			switch {
			case connection == "" && inner.get("ConnectionArn.$") != nil, strings.HasPrefix(connection, "{%"):
				e.notes = append(e.notes, name+": its connection is computed; there it must be an ARN")
			case connection == "" || strings.HasPrefix(connection, "arn:"):
			default:
				inner.set("ConnectionArn", e.connectionARN(connection))
			}
		}
	}
	e.actions = append(e.actions, "events:RetrieveConnectionCredentials", "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret")
}

func (e *exporter) connectionARN(name string) string {
	arn, ok := e.mapped["connection:"+name]
	if !ok {
		if e.region == "" || e.account == "" {
			e.homeless = append(e.homeless, "connection:"+name)
		}
		arn = fmt.Sprintf("arn:aws:events:%s:%s:connection/%s", e.region, e.account, name)
		e.notes = append(e.notes, "AWS puts an ID behind a connection's name: give its whole ARN with --map connection:"+name+"=ARN")
	}
	e.needs = append(e.needs, "EventBridge connection "+arn)
	return arn
}

// told are the lines for people: what must exist, and what differs.
func (e *exporter) told() []string {
	var lines []string
	for _, part := range []struct {
		head  string
		items []string
	}{
		{"must exist there:", e.needs}, {"its role must be allowed:", e.actions}, {"note:", e.notes},
	} {
		for _, item := range unique(part.items) {
			lines = append(lines, part.head+" "+item)
		}
	}
	return lines
}

// unique sorts, and leaves out what is there twice.
func unique[T cmp.Ordered](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }
