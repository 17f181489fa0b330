package camera

import (
	"testing"
	"time"

	"gocv.io/x/gocv"
)

// BenchmarkVideoFile compares a camera on a video file with a bare loop round
// OpenCV on the same file in the same run. ratio is bare time over camera
// time: 1 is free.
func BenchmarkVideoFile(b *testing.B) {
	name := ramp(b, 250, "640x640")
	bare := func(frames int) time.Duration {
		began, m := time.Now(), gocv.NewMat()
		defer m.Close()
		for frames > 0 {
			v, err := gocv.VideoCaptureFileWithAPI(name, gocv.VideoCaptureFFmpeg)
			if err != nil {
				b.Fatal(err)
			}
			for frames > 0 && v.Read(&m) {
				frames--
			}
			v.Close()
		}
		return time.Since(began)
	}
	c := mustNew(b, Config{Source: secret("file:" + name + "?mode=loop")})
	b.ReportAllocs()
	for b.Loop() {
		f, err := next(b, c)
		if err != nil {
			b.Fatal(err)
		}
		f.Release()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	b.ReportMetric(bare(b.N).Seconds()/b.Elapsed().Seconds(), "ratio")
}

// BenchmarkDecode is the way of a still from its file's bytes to its pixels.
func BenchmarkDecode(b *testing.B) {
	for _, ext := range formats() {
		data, p := picture(b, ext, 3), &pool{}
		b.Run(string(ext[1:]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, l, err := p.decode(data, someMegapixels)
				if err != nil {
					b.Fatal(err)
				}
				l.release()
			}
		})
	}
}
