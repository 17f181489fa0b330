package asl

import (
	"fmt"
	"strings"
)

// CheckName says what is wrong with the name of a machine or an execution, as
// AWS judges it: 1 to 80 characters, none of them white space, a control
// character or one of < > { } [ ] ? * " # % \ ^ | ~ ` $ & , ; : /
func CheckName(name string) error {
	if n := runes(name); n < 1 || n > 80 {
		return fmt.Errorf("the name %q has %d characters; want 1 to 80", shortenText(name), n)
	}
	for _, r := range name {
		if r <= ' ' || r >= 0x7f && r <= 0x9f || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r) {
			return fmt.Errorf("the name %q contains the character %s, which no name may have", name, quoteRune(r))
		}
	}
	return nil
}

func shortenText(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
