package sparkplug

import (
	"fmt"
	"slices"
)

func birthsFirst(r record) (faults []string) {
	node, device := false, false
	for _, s := range r.got {
		switch {
		case s.kind == "NBIRTH":
			node, device = true, false
		case s.kind == "NDEATH":
			node, device = false, false
		case s.kind == "DBIRTH" && node:
			device = true
		case s.kind == "NDATA" && node && device, s.kind[0] == 'D' && node && device:
		default:
			faults = append(faults, s.kind+" before its birth")
		}
	}
	return faults
}

func birthsComplete(r record) []string {
	want := map[string][]string{
		"NBIRTH": {deathNumber, rebirth, "Model", "Queue/Depth"},
		"DBIRTH": {"Board/ID", "Board/Verdict", "Board/At", "Yield"},
	}
	return faultsOf(r.got, func(s seen) bool {
		var names []string
		for _, m := range s.metrics {
			names = append(names, m.Name)
		}
		return !isBirth(s) || slices.Equal(names, want[s.kind])
	}, "birth")
}

func dataIsChange(r record) []string {
	faults := faultsOf(r.kind("NDATA"), func(s seen) bool { return len(s.metrics) == 1 && s.metrics[0].Name == "Queue/Depth" }, "data of the node")
	if n := len(r.kind("NDATA")); n != 2 {
		faults = append(faults, fmt.Sprintf("%d data messages for 2 changes", n))
	}
	return append(faults, faultsOf(r.got, func(s seen) bool { return !isData(s) || len(s.metrics) > 0 }, "data")...)
}
