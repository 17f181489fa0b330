package pattern

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// A decimal is a number as written, in a form that compares by value however
// it was written: 0.digits times ten to the exponent. Zero has no digits.
type decimal struct {
	negative bool
	digits   string // without zeros at either end
	exponent int
}

// decimalOf reads a number of JSON; no if it is too large for any comparison.
func decimalOf(s string) (d decimal, ok bool) {
	if f, err := strconv.ParseFloat(s, 64); err != nil || math.IsInf(f, 0) {
		return d, false
	}
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, power := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if power, err = strconv.Atoi(s[i+1:]); err != nil {
			return d, false
		}
		mantissa = s[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	d.digits = strings.TrimLeft(all, "0")
	d.exponent = power + len(whole) - (len(all) - len(d.digits))
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// compare is negative if d is less than o.
func (d decimal) compare(o decimal) int {
	sign := func(x decimal) int {
		switch {
		case x.digits == "":
			return 0
		case x.negative:
			return -1
		}
		return 1
	}
	a, b := sign(d), sign(o)
	if a != b || a == 0 {
		return a - b
	}
	if d.exponent != o.exponent {
		if d.exponent < o.exponent {
			return -a
		}
		return a
	}
	return a * strings.Compare(d.digits, o.digits)
}

// address reads an IP address written with digits, as AWS does: IPv6 without
// dots and zones.
func address(s string) (netip.Addr, bool) {
	v4, v6 := strings.Count(s, ".") == 3, strings.Contains(s, ":")
	for _, c := range s {
		digit := '0' <= c && c <= '9'
		v4 = v4 && (digit || c == '.')
		v6 = v6 && (digit || c == ':' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F')
	}
	if !v4 && !v6 {
		return netip.Addr{}, false
	}
	if v4 { // leading zeros are decimal
		parts := strings.Split(s, ".")
		for i, p := range parts {
			parts[i] = strings.TrimLeft(p[:max(len(p)-1, 0)], "0") + p[max(len(p)-1, 0):]
		}
		s = strings.Join(parts, ".")
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// network reads a range of addresses; fault is AWS's word about one that is
// none.
func network(s string) (p netip.Prefix, fault string) {
	parts := strings.Split(strings.TrimRight(s, "/"), "/")
	if len(parts) != 2 {
		return p, "Malformed CIDR, one '/' required"
	}
	bits, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil {
		return p, "Malformed CIDR, mask bits must be an integer"
	}
	if bits < 0 {
		return p, "Malformed CIDR, mask bits must not be negative"
	}
	a, ok := address(parts[0])
	switch {
	case !ok && strings.Count(parts[0], ".") == 3 && strings.Trim(parts[0], "0123456789.") == "":
		return p, "Invalid IP address: " + parts[0]
	case !ok:
		return p, "Nonstandard IP address: " + parts[0]
	case a.Is4() && bits > 31:
		return p, "IPv4 mask bits must be < 32"
	case bits > 127:
		return p, "IPv6 mask bits must be < 128"
	}
	return netip.PrefixFrom(a, int(bits)).Masked(), ""
}
