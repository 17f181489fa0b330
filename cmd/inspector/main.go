// Inspector sees every board of a line, judges it, and acts on defects.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills at once
	for _, words := range strays(os.Environ()) {
		fmt.Fprintln(os.Stderr, "inspector:", words)
	}
	os.Exit(command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// An exit is an error that names the exit code.
type exit struct {
	code int
	err  error // nil: all was said already
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

const usage = `inspector sees every board of a line, judges it, and acts on defects.

  inspector run [--config FILE]              the appliance; without FILE a simulated line
  inspector inspect [flags] IMAGE...         judge files: a table, or --json one object a line
  inspector recipe list                      recipes, which one is in force, and who decided that
  inspector recipe use RECIPE                let it judge boards that ask for no other, from the next on
  inspector recipe learn [flags] RECIPE      make a recipe from stills of good and bad boards
  inspector recipe example FOLDER            draw such stills, to try it
  inspector eval --data DIR [flags]          measure a model on boards whose defects are known
  inspector config check [--config FILE]     every fault of a configuration at once
  inspector doctor [--config FILE]           check camera, model, disk, broker, clock, upstream, channels
  inspector model list                       versions, which one judges, and who decided that
  inspector model promote NAME@VERSION       let it judge, from the next board on
  inspector model rollback NAME              let the version before judge again
  inspector model shadow NAME@VERSION        let it judge beside, and decide nothing
  inspector model disagreements              boards of which the shadow thinks otherwise
  inspector model inspect FILE.onnx          what is in a network, and which runtimes can execute it
  inspector model add FILE.onnx --name NAME  make a package of it, with a first model.yaml
  inspector workflow COMMAND                 what happens after a verdict: inspector workflow help lists the commands
  inspector events tail [--pattern PATTERN]  events as rules see them, as they come
  inspector events test --pattern PATTERN --event FILE  whether a pattern matches, and why not
  inspector channel list                     channels to people, and the rules that use them
  inspector channel test NAME                send a test message through one
  inspector healthcheck [URL]                ask a running appliance whether it is ready
  inspector version

Flags of a command: inspector COMMAND --help
`

// command runs one subcommand and gives the exit code.
func command(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if helpWanted(args) {
		stderr = stdout // it is what was asked for
	}
	var err error
	switch name {
	case "run":
		err = runCommand(ctx, args, env, stdout, stderr)
	case "inspect":
		err = inspectCommand(ctx, args, env, stdout, stderr)
	case "recipe":
		err = recipeCommand(ctx, args, env, stdout, stderr)
	case "eval":
		err = evalCommand(ctx, args, env, stdout, stderr)
	case "config":
		err = configCommand(ctx, args, env, stdout, stderr)
	case "doctor":
		err = doctorCommand(ctx, args, env, stdout, stderr)
	case "model":
		err = modelCommand(ctx, args, env, stdout, stderr)
	case "workflow":
		err = workflowCommand(ctx, args, env, stdout, stderr)
	case "events":
		err = eventsCommand(ctx, args, env, stdout, stderr)
	case "channel":
		err = channelCommand(ctx, args, env, stdout, stderr)
	case "healthcheck":
		err = healthcheckCommand(ctx, args, stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "inspector", revision)
	case "", "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
	default:
		err = exit{2, fmt.Errorf("unknown command %q; inspector help lists them", name)}
	}
	var code exit
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code) && code.err == nil:
		return code.code
	}
	fmt.Fprintln(stderr, "inspector:", interrupted(ctx, err))
	if code.code != 0 {
		return code.code
	}
	return 1
}

// errInterrupted stands for whatever ended because the program was told to.
var errInterrupted = errors.New("interrupted")

// interrupted is err in the words of somebody who has pressed Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// helpWanted reports whether the flags ask for help.
func helpWanted(args []string) bool {
	for _, a := range args {
		switch a {
		case "--":
			return false
		case "-h", "-help", "--help":
			return true
		}
	}
	return false
}

// parse reads a command's flags; a wrong flag is exit code 2.
func parse(f *flag.FlagSet, args []string, stderr io.Writer) error {
	f.SetOutput(stderr)
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return exit{code: 2} // flag has said it
	}
	return nil
}

// configured gives the configuration for a command whose only flag names it.
func configured(command, what string, args []string, env func(string) string, stderr io.Writer) (Config, error) {
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	file := f.String("config", "", "configuration `file`; empty: the defaults")
	f.Usage = func() {
		fmt.Fprintf(stderr, "usage: inspector %s [--config FILE]\n%s\n", command, what)
		f.PrintDefaults()
	}
	if err := parse(f, args, stderr); err != nil {
		return Config{}, err
	}
	if f.NArg() > 0 {
		return Config{}, exit{2, fmt.Errorf("%s takes no %q; a configuration is named with --config FILE", command, f.Arg(0))}
	}
	c, err := loadConfig(*file, env)
	if err != nil {
		return c, exit{2, err}
	}
	return c, nil
}

func configCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	const usage = "usage: inspector config check [--config FILE]\nSays every fault of a configuration, its recipes and its model at once. Exit code 0: none, 1: some."
	switch {
	case len(args) == 0 || args[0] != "check" && !helpWanted(args):
		fmt.Fprintln(stderr, usage)
		return exit{code: 2}
	case args[0] != "check":
		args = slices.Insert(args, 0, "check")
	}
	f := flag.NewFlagSet("config check", flag.ContinueOnError)
	file := f.String("config", "inspector.yaml", "configuration `file` to check")
	f.Usage = func() {
		fmt.Fprintln(stderr, usage)
		f.PrintDefaults()
	}
	if err := parse(f, args[1:], stderr); err != nil {
		return err
	}
	if f.NArg() > 0 {
		*file = f.Arg(0)
	}
	c, err := loadConfig(*file, env)
	if errors.Is(err, errNoConfig) {
		return err
	}
	if err = errors.Join(err, checkJudges(ctx, c), checkOutside(c)); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: no faults\n", *file)
	return nil
}
