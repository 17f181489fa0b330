package evaluate

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"inspector"
)

// WriteCSV writes one line per board.
func WriteCSV(w io.Writer, boards []Board, p Policy) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"board", "good", "verdict", "score", "defects", "called_fail", "called", "right", "near", "missed", "false", "prepare_ms", "infer_ms", "decode_ms", "reason"}}
	for _, b := range boards {
		fail, all := count(b, p.failing(b), b.Verdict == inspector.Fail), count(b, byScore(b.Called), b.Verdict != inspector.Pass)
		score := float32(0)
		for _, d := range b.Found {
			score = max(score, d.Score)
		}
		ms := func(ns int64) string { return strconv.FormatFloat(float64(ns)/1e6, 'f', 2, 64) }
		rows = append(rows, []string{
			b.Name, strconv.FormatBool(b.Good()), string(b.Verdict), strconv.FormatFloat(float64(score), 'f', 4, 32), strconv.Itoa(len(b.Truth)),
			strconv.Itoa(fail.calls), strconv.Itoa(all.calls), strconv.Itoa(all.right), strconv.Itoa(all.near), strconv.Itoa(all.defects - all.near), strconv.Itoa(all.calls - all.near),
			ms(int64(b.Timings.Prepare)), ms(int64(b.Timings.Infer)), ms(int64(b.Timings.Decode)), b.Reason,
		})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}
