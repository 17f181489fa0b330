package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"inspector/web"
	"inspector/workflow/asl"
)

// testRole stands for AWS's role, which nothing on the appliance needs.
const testRole = "arn:aws:iam::000000000000:role/test"

// tested asks what one state does; nothing is invoked.
func tested(r asl.TestRequest) (asl.TestResult, error) {
	r.At, r.Seed = time.Now().UTC(), rand.Text()
	if r.RoleArn == "" {
		r.RoleArn = testRole
	}
	return asl.TestState(r)
}

// testState is the action TestState.
func (a *statesAPI) testState(_ context.Context, r asl.TestRequest) (any, error) {
	result, err := tested(r)
	var refused *asl.TestError
	if errors.As(err, &refused) {
		return nil, &web.CodedError{Code: refused.Code, Err: err}
	}
	return result, err
}

// workflowTest tests one state of a file. Exit code 0: it succeeded, or its
// error is caught or tried again; 1: it failed; 2: the test makes no sense.
func workflowTest(_ context.Context, args []string, _ func(string) string, stdout, stderr io.Writer) error {
	f := workflowFlagSet("test", stderr)
	state := f.String("state", "", "`name` of the state, at any depth; empty: FILE holds one state alone")
	retries := f.Int64("retries", 0, "how often the state was tried again already")
	asJSON := f.Bool("json", false, "the answer as AWS's TestState gives it")
	failure := f.String("mock-error", "", "`NAME[:CAUSE]` of the error with which its work fails")
	texts := map[string]*string{}
	for name, help := range map[string]string{
		"input": "what comes in: `JSON`, FILE, @FILE, or - for the standard input", "mock-result": "what its work gives: `JSON`, FILE, @FILE, or - for the standard input",
		"context": "the context object: `JSON`, FILE, @FILE, or - for the standard input", "variables": "variables and their values: `JSON`, FILE, @FILE, or - for the standard input",
	} {
		texts[name] = f.String(name, "", help)
	}
	files, err := flagsAround(f, args, stderr)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return exit{2, errors.New("workflow test: name one file")}
	}
	definition, err := os.ReadFile(files[0])
	if err != nil {
		return exit{2, err}
	}
	read := map[string]asl.Text{}
	for name, text := range texts {
		if *text == "" {
			continue
		}
		data, err := given("workflow test: --"+name, *text)
		if err != nil {
			return err
		}
		read[name] = asl.Text(data)
	}
	r := asl.TestRequest{Definition: asl.Text(definition), Input: read["input"], Context: read["context"], Variables: read["variables"], InspectionLevel: "DEBUG"}
	if *state != "" {
		r.StateName = state
	}
	r.Mock, r.Configuration = mockOf(f, read["mock-result"], *failure, *retries)
	result, err := tested(r)
	if err != nil {
		return exit{2, fmt.Errorf("workflow test: %w", err)}
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		err = e.Encode(result)
	} else {
		_, err = io.WriteString(stdout, testWords(result))
	}
	if err == nil && result.Status == "FAILED" {
		return exit{code: 1}
	}
	return err
}

// mockOf is the mock that the flags say; nil if they say none.
func mockOf(f *flag.FlagSet, result asl.Text, failure string, retries int64) (m *asl.Mock, c *asl.TestCase) {
	f.Visit(func(set *flag.Flag) {
		switch set.Name {
		case "mock-result", "mock-error":
			if m == nil {
				m = &asl.Mock{}
			}
			if set.Name == "mock-result" {
				m.Result = &result
			} else {
				name, cause, _ := strings.Cut(failure, ":")
				m.Error = &asl.MockError{Error: name, Cause: strings.TrimSpace(cause)}
			}
		case "retries":
			c = &asl.TestCase{RetryCount: &retries}
		}
	})
	return m, c
}

// stagesInOrder are what an inspection shows, in the order of the data.
var stagesInOrder = []string{"input", "afterInputPath", "afterArguments", "afterParameters", "afterItemsPath", "afterItemSelector", "maxConcurrency",
	"toleratedFailureCount", "toleratedFailurePercentage", "result", "afterResultSelector", "afterResultPath", "variables", "errorDetails"}

// testWords is a result for people.
func testWords(r asl.TestResult) string {
	var b strings.Builder
	line := func(name, value string) {
		var pretty bytes.Buffer
		if json.Indent(&pretty, []byte(value), strings.Repeat(" ", 22), "  ") == nil && pretty.Len() > 0 {
			value = pretty.String()
		}
		fmt.Fprintf(&b, "%-21s %s\n", name, value)
	}
	line("status", r.Status)
	known := slices.DeleteFunc(slices.Clone(stagesInOrder), func(name string) bool { return r.Inspection[name] == nil })
	for _, name := range slices.Sorted(maps.Keys(r.Inspection)) {
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	for _, name := range known {
		text, isText := r.Inspection[name].(string)
		if !isText {
			raw, _ := json.Marshal(r.Inspection[name])
			text = string(raw)
		}
		line(name, text)
	}
	for _, l := range [][2]string{{"output", r.Output}, {"error", r.Error}, {"cause", r.Cause}, {"next state", r.NextState}} {
		if l[1] != "" {
			line(l[0], l[1])
		}
	}
	return b.String()
}
