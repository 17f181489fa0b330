package classify

import "inspector"

// Above gives every defect in out that has a score of at least floor, whatever
// the recipe's limits, highest first. What the recipe leaves out is left out. Out stays good for one Judge, before
// which Above is called.
func (c *Classifier) Above(out *Output, floor float32) ([]inspector.Defect, error) {
	scored, _, err := c.defects(out, limits{all: Limits{Fail: floor, Pass: floor}})
	if err != nil {
		return nil, err
	}
	for i, d := range scored {
		if d.Score < floor {
			return scored[:i], nil
		}
	}
	return scored, nil
}
