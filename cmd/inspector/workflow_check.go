package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"inspector/workflow/asl"
)

// workflowCheck says all that is wrong with definitions, and where. Exit code
// 0: none has an error, 1: one has, 2: a file cannot be read or the order
// makes no sense.
func workflowCheck(_ context.Context, args []string, _ func(string) string, stdout, stderr io.Writer) error {
	f := workflowFlagSet("check", stderr)
	kind := f.String("type", string(asl.Standard), "STANDARD or EXPRESS: the `type` of the machine")
	asJSON := f.Bool("json", false, "one object a FILE, as AWS's ValidateStateMachineDefinition answers")
	files, err := flagsAround(f, args, stderr)
	if err != nil {
		return err
	}
	t := asl.Type(strings.ToUpper(*kind))
	switch {
	case len(files) == 0:
		return exit{2, fmt.Errorf("workflow check: name one or more files")}
	case t != asl.Standard && t != asl.Express:
		return exit{2, fmt.Errorf("workflow check: --type %s: want STANDARD or EXPRESS", *kind)}
	}
	bad := false
	for _, file := range files {
		definition, err := os.ReadFile(file)
		if err != nil {
			return exit{2, err}
		}
		faults := asl.Check(definition, t)
		bad = bad || len(faults.Errors()) > 0
		if *asJSON {
			e := json.NewEncoder(stdout)
			e.SetEscapeHTML(false)
			err = e.Encode(faults.Validation(maxDiagnostics))
		} else {
			_, err = io.WriteString(stdout, faultLines(file, faults))
		}
		if err != nil {
			return err
		}
	}
	if bad {
		return exit{code: 1}
	}
	return nil
}

const maxDiagnostics = 100 // of a file, as on AWS

// faultLines are in the form that editors and build tools know.
func faultLines(file string, faults asl.Faults) string {
	if len(faults) == 0 {
		return file + ": valid\n"
	}
	var b strings.Builder
	for _, f := range faults.ByPlace() {
		severity := ""
		if f.Warning {
			severity = "warning: "
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s%v\n", file, f.Line, f.Column, severity, f)
	}
	return b.String()
}
