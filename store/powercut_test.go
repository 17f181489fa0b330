package store

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"inspector/store/storetest"
)

// Cut the disk itself off while the store writes: the file system forgets
// whatever it had not written out, as in a power cut. Needs root and a loop
// device, so it runs in `make soak` only.
func TestPowerCut(t *testing.T) {
	if os.Getenv("INSPECTOR_SOAK") == "" {
		t.Skip("set INSPECTOR_SOAK to cut the power of a mounted image")
	}
	for _, format := range []string{"ext4", "xfs"} {
		t.Run(format, func(t *testing.T) {
			if _, err := exec.LookPath("mkfs." + format); err != nil {
				t.Skip(err)
			}
			image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
			run(t, "truncate", "-s", "400M", image)
			run(t, "mkfs."+format, "-q", image)
			acked := map[string]ack{}
			for range 10 {
				run(t, "mount", "-o", "loop", image, dir)
				acks := livedUntilKilled(t, filepath.Join(dir, "data"), time.Duration(100+rand.IntN(400))*time.Millisecond, func() {
					if err := storetest.CutOff(dir); err != nil {
						t.Error(err)
					}
				})
				run(t, "umount", dir)
				run(t, "mount", "-o", "loop", image, dir)
				for _, a := range acks {
					if a.Failed == "" {
						acked[a.ID] = a
					}
				}
				s := open(t, filepath.Join(dir, "data"))
				for _, a := range acked {
					verify(t, s, a)
				}
				noneBesides(t, s)
				balanced(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				run(t, "umount", dir)
			}
			t.Logf("%d boards acknowledged and found", len(acked))
			if len(acked) == 0 {
				t.Error("nothing was proven")
			}
		})
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
