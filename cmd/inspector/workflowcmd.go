package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A workflowVerb is one command of inspector workflow.
type workflowVerb struct {
	name  string
	usage string // what stands behind the name
	help  string // what it does, in one sentence or two
	run   func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error
}

// workflowVerbs are the commands of inspector workflow, in the order of the
// help. Each has a file of its own: workflow_NAME.go.
func workflowVerbs() []workflowVerb {
	return []workflowVerb{ // one line a command
		{"check", "[flags] FILE...", "Every fault of a definition at once, with its line and AWS's words. Exit code 1: it has errors.", workflowCheck},
		{"test", "FILE [--state NAME] [--input JSON|FILE] [--mock-result JSON|FILE | --mock-error NAME[:CAUSE]] [flags]", "Shows what one state does with its input, step by step. Nothing is invoked: what a Task, Map or Parallel state gives is in the mock.", workflowTest},
		{"create", "NAME FILE [--type EXPRESS] [--publish]", "Gives the definition in FILE a name.", workflowDefine("create", "CreateStateMachine")},
		{"update", "NAME FILE [--publish]", "Gives a machine a new revision; what runs finishes on the one it began with.", workflowDefine("update", "UpdateStateMachine")},
		{"delete", "NAME", "Forgets a machine; what runs on it finishes.", workflowDelete},
		{"machines", "", "Lists the machines.", workflowMachines},
		{"definition", "NAME[:VERSION|:ALIAS]", "Writes the definition of a machine, to be changed and given to update.", workflowDefinition},
		{"versions", "NAME [--publish | --delete N]", "Lists the versions of a machine, or publishes its newest revision as one.", workflowVersions},
		{"alias", "NAME [ALIAS (VERSION[=WEIGHT] [VERSION=WEIGHT] | --delete)]", "Lists the aliases of a machine, has one lead to one or two versions, or forgets it. Boards begin on inspection:line if there is such an alias.", workflowAlias},
		{"start", "NAME[:VERSION|:ALIAS] [--name NAME] [--input JSON]", "Starts an execution; again with the same name and input is harmless while it runs.", workflowStart},
		{"list", "[--machine NAME] [--status STATUS] [--since TIME] [--prefix TEXT]", "Lists executions, the newest first.", workflowList},
		{"show", "EXECUTION", "Shows an execution and what it waits for.", workflowShow},
		{"history", "EXECUTION [--reverse] [--data]", "Shows its history as Step Functions does; data is cut, unless --data asks for all of it.", workflowHistory},
		{"redrive", "EXECUTION | --status STATUS [--machine NAME]", "Lets an execution go on that is parked, or that failed, timed out or was stopped: at the state where it ended. With --status all that the flags choose.", workflowRedrive},
		{"parked", "[--target NAME] [--reason TEXT] [--redrive [--all]]", "Lists deliveries that were refused for good: target, since when, and why. With --redrive they are tried again, with the same keys; files of credentials are read again then.", workflowParked},
		{"amend", "EXECUTION [--command N] [--input JSON]", "Prints the input of a parked task, or replaces it and tries it again: another bucket, topic or queue. The history and the audit say who did it.", workflowAmend},
		{"stop", "EXECUTION [--error NAME] [--cause TEXT]", "Aborts an execution.", workflowStop},
		{"send-success", "TOKEN [--output JSON]", "Answers a task token with a result.", workflowSend("send-success", "SendTaskSuccess")},
		{"send-failure", "TOKEN [--error NAME] [--cause TEXT]", "Answers a task token with an error.", workflowSend("send-failure", "SendTaskFailure")},
		{"send-heartbeat", "TOKEN", "Says that whoever holds a task token is alive.", workflowSend("send-heartbeat", "SendTaskHeartbeat")},
		{"pause", "NAME | --all", "Keeps a machine's work from being begun until resume; new executions are accepted and wait.", workflowHold("pause", "Pause")},
		{"drain", "NAME | --all", "Lets what runs finish, and keeps what begins from now on waiting until resume.", workflowHold("drain", "Drain")},
		{"resume", "NAME | --all", "Ends pause and drain.", workflowHold("resume", "Resume")},
		{"graph", "[flags] [FILE]", "Draws a definition as SVG; without FILE the shipped one. With --execution it shows how far an execution of the running appliance has come.", graphCommand},
		{"export", "--aws [flags] [FILE]", "Writes a definition as AWS Step Functions accepts it; without FILE the shipped one. Handlers become Lambda functions. What must exist there is told on standard error.", exportCommand},
	}
}

// workflowCommand is inspector workflow VERB.
func workflowCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	for _, v := range workflowVerbs() {
		if v.name == name {
			return v.run(ctx, args, env, stdout, stderr)
		}
	}
	switch {
	case name == "help" || helpWanted([]string{name}):
		fmt.Fprint(stdout, workflowUsage())
		return nil
	case name == "":
		fmt.Fprint(stderr, workflowUsage())
		return exit{code: 2}
	}
	return exit{2, fmt.Errorf("unknown command workflow %q; inspector workflow help lists them", name)}
}

// workflowUsage is the help of all workflow commands.
func workflowUsage() string {
	var b strings.Builder
	b.WriteString("usage: inspector workflow COMMAND\n\n" +
		"What happens after a verdict is a definition in the Amazon States Language: a machine, called inspection. Each board is an execution of it.\n" +
		"check, test, graph and export work on a FILE and need no appliance; the others ask the running one.\n\n")
	for _, v := range workflowVerbs() {
		what, _, _ := strings.Cut(v.help, ". ")
		fmt.Fprintf(&b, "  %s\n        %s\n", strings.TrimSpace(v.name+" "+v.usage), strings.TrimSuffix(what, "."))
	}
	b.WriteString("\nFlags of a command: inspector workflow COMMAND --help\nExit code 0: done; 1: not done, or the answer is no; 2: the command is not understood, or a file that it names cannot be read.\n")
	return b.String()
}

// workflowFlagSet gives the flags of a workflow command, with its help.
func workflowFlagSet(name string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("workflow "+name, flag.ContinueOnError)
	f.Usage = func() {
		for _, v := range workflowVerbs() {
			if v.name == name {
				fmt.Fprintf(stderr, "usage: inspector workflow %s %s\n%s\n", name, v.usage, v.help)
			}
		}
		f.PrintDefaults()
	}
	return f
}

// applianceFlags are how a workflow command is told where the appliance runs.
type applianceFlags struct{ file, address *string }

func withAppliance(f *flag.FlagSet) applianceFlags {
	return applianceFlags{
		f.String("config", "", "configuration `file`; empty: the defaults"),
		f.String("address", "", "`URL` of the running appliance; empty: web.url, or web.listen of the configuration"),
	}
}

// open reads the configuration; whoever asks then asks that appliance.
func (a applianceFlags) open(env func(string) string) (order, error) {
	c, err := loadConfig(*a.file, env)
	if err != nil {
		return order{}, exit{2, err}
	}
	return order{config: c, address: c.address(*a.address)}, nil
}
