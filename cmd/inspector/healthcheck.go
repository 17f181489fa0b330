package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// revision is what was built, set by the Makefile.
var revision = "unknown revision"

// healthcheckCommand asks a running appliance whether it is ready; it is what
// a container runs every few seconds.
func healthcheckCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector healthcheck [URL]\nAsks the appliance at URL (http://127.0.0.1:8080) whether it is ready. Exit code 0: yes, 1: no.")
	}
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	address := "http://127.0.0.1:8080"
	if f.NArg() > 0 {
		address = strings.TrimSuffix(f.Arg(0), "/")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", nil)
	if err != nil {
		return exit{2, fmt.Errorf("healthcheck: %q is not an address: %w", address, err)}
	}
	answer, err := http.DefaultClient.Do(r)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("healthcheck: %s did not answer in 3 s; is the machine overloaded?", address)
	} else if err != nil {
		return fmt.Errorf("healthcheck: %w; is the appliance running, and is web.listen that address?", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	fmt.Fprintln(stdout, strings.TrimSpace(string(body)))
	if answer.StatusCode != http.StatusOK {
		return exit{code: 1}
	}
	return nil
}
