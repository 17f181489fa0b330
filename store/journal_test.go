package store

import (
	"testing"

	"inspector/workflow"
	"inspector/workflow/journaltest"
)

func TestJournal(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) workflow.Journal { return open(t, t.TempDir()) })
}
