package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"inspector/workflow/asl"
)

// exportCommand is inspector workflow export. Exit code 0: written, 1: it
// cannot be, 2: the command makes no sense.
func exportCommand(_ context.Context, args []string, _ func(string) string, stdout, stderr io.Writer) error {
	f := workflowFlagSet("export", stderr)
	f.Bool("aws", true, "for AWS Step Functions; there is no other")
	e := exporter{mapped: map[string]string{}}
	f.StringVar(&e.region, "region", "", "`region` of what has no --map")
	f.StringVar(&e.account, "account", "", "`number` of the AWS account of what has no --map, 12 digits")
	f.Func("map", "`RESOURCE=ARN`: what does there what RESOURCE does here; connection:NAME=ARN for a connection. May be given again", e.mapping)
	out := f.String("o", "", "write the definition to this `file`; empty: to standard output")
	names, err := flagsAround(f, args, stderr)
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return exit{2, fmt.Errorf("workflow export: name one definition, not %q", names)}
	}
	if e.account != "" && !regexp.MustCompile(`^\d{12}$`).MatchString(e.account) {
		return exit{2, fmt.Errorf("--account: %q is not a number of 12 digits", e.account)}
	}
	definition, name, err := readDefinition(names)
	if err != nil {
		return err
	}
	exported, err := exportFor(&e, definition)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, line := range e.told() {
		fmt.Fprintln(stderr, line)
	}
	if *out == "" {
		_, err = stdout.Write(exported)
		return err
	}
	return os.WriteFile(*out, exported, 0o644)
}

// exportFor gives the definition for AWS. Both must be valid.
func exportFor(e *exporter, definition []byte) ([]byte, error) {
	if _, err := asl.Parse(definition); err != nil {
		return nil, err
	}
	top, err := readOrdered(definition)
	if err != nil {
		return nil, err
	}
	machine, _ := top.(*orderedObject)
	e.machine(machine)
	if len(e.homeless) > 0 {
		return nil, exit{2, fmt.Errorf("say --region and --account, or --map RESOURCE=ARN, for %s", strings.Join(unique(e.homeless), ", "))}
	}
	exported, err := writeOrdered(top)
	if err == nil {
		_, err = asl.Parse(exported)
	}
	if err != nil {
		return nil, fmt.Errorf("the exported definition would not be valid: %w", err)
	}
	return exported, nil
}

// mapping reads one --map.
func (e *exporter) mapping(said string) error {
	resource, arn, ok := strings.Cut(said, "=")
	if !ok || resource == "" || !strings.HasPrefix(arn, "arn:") {
		return fmt.Errorf("want RESOURCE=ARN, as inspector:publish=arn:aws:lambda:eu-central-1:123456789012:function:publish")
	}
	e.mapped[resource] = arn
	return nil
}
