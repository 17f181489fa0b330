package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that ends in .yml would be passed over without a word.
func TestFilesOfTheOtherName(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mes.yml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCommands(dir); err == nil || !strings.Contains(err.Error(), "mes.yml: only files named .yaml") {
		t.Errorf("commands: %v", err)
	}
	c := defaults()
	c.Events.Rules = dir
	if _, _, err := c.readRules(); err == nil || !strings.Contains(err.Error(), "mes.yml: only files named .yaml") {
		t.Errorf("rules: %v", err)
	}
}
