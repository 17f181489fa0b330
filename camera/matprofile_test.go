//go:build matprofile

package camera

import (
	"testing"

	"gocv.io/x/gocv"
)

func TestMatProfile(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir+"/good.jpg", picture(t, ".jpg", 3))
	mustWrite(t, dir+"/bad.png", picture(t, ".png", 3)[:100])
	for _, source := range []string{"file:" + ramp(t, 250, "64x48") + "?mode=loop", "folder:" + dir + "?mode=loop"} {
		before := gocv.MatProfile.Count()
		c, err := New(Config{Source: secret(source)}, silent())
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, c)
		for range 10_000 {
			f, _ := next(t, c) // bad stills must leak nothing either
			f.Release()
		}
		if open := gocv.MatProfile.Count() - before; open > 1 {
			t.Errorf("%s: %d Mats open while it runs, want the one it reads into", source, open)
		}
		stop()
		if left := gocv.MatProfile.Count() - before; left != 0 {
			t.Errorf("%s: %d Mats left after 10,000 frames", source, left)
		}
	}
}
