package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes. In a file it is written with a unit: 512KiB, 16MiB,
// 2GB; a bare number is bytes.
type Size int64

// Units of a Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size with its unit.
func (s *Size) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	digits := strings.TrimRight(t, "BKMGikb ")
	unit := strings.TrimSpace(t[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no size: write for example 16MiB", t)
	}
	for _, u := range sizeUnits {
		if u.name == unit {
			if n > math.MaxInt64/int64(u.bytes) {
				return fmt.Errorf("%q is too large", t)
			}
			*s = Size(n) * u.bytes
			return nil
		}
	}
	return fmt.Errorf("%q is no unit of size: write for example 16MiB", unit)
}

// MarshalText returns what String returns.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size with the largest binary unit that fits without a rest.
func (s Size) String() string {
	for _, u := range []struct {
		name  string
		bytes Size
	}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}} {
		if s != 0 && s%u.bytes == 0 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}
