package hl7

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A Precision is how far a time is told.
type Precision int

// Precisions of a [DTM]. The zero value is that of no time.
const (
	NoTime Precision = iota
	Year
	Month
	Day
	Hour
	Minute
	Second
)

// String returns the precision in English.
func (p Precision) String() string {
	names := [...]string{"none", "year", "month", "day", "hour", "minute", "second"}
	if p < 0 || int(p) >= len(names) {
		return "Precision(" + strconv.Itoa(int(p)) + ")"
	}
	return names[p]
}

// A DTM is a date and time as precise as it was written, with or without a zone:
// YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ] (HL7 v2.9, chapter 2A, DTM). It is also
// the DT, and the first component of the TS of older versions. The zero value is no time.
type DTM struct {
	// Time is the beginning of the year, month, day and so on. Where there is no zone it
	// is in UTC: see [DTM.In].
	Time time.Time
	// Precision is how far the time was told.
	Precision Precision
	// Fraction is the number of digits behind the second, 0 to 9. HL7 has 4 at most.
	Fraction int
	// Zone reports whether a zone was told.
	Zone bool
	// negativeZero keeps -0000 apart from +0000: a zone that isn't known.
	negativeZero bool
}

// NewDTM returns t to the second, with its zone, to the minute. The zero time is the zero
// DTM. HL7 has years of four digits.
func NewDTM(t time.Time) DTM {
	if t.IsZero() {
		return DTM{}
	}
	return DTM{Time: t.Truncate(time.Second), Precision: Second, Zone: true}
}

// ParseDTM reads a date and time. The empty text is the zero DTM. More than HL7's four
// digits behind the second are read, up to nine. The hour 24, the second 60 and spaces are
// refused. An error says at which character
// something is wrong.
func ParseDTM(text string) (DTM, error) {
	var d DTM
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return DTM{}, fmt.Errorf("hl7: %w", err)
	}
	return d, nil
}

// parts of a DTM by their precisions, with the least and the most that they can be.
var dtmParts = [...]struct {
	name        string
	digits      int
	least, most int
}{Year: {"year", 4, 1, 9999}, Month: {"month", 2, 1, 12}, Day: {"day", 2, 1, 31}, Hour: {"hour", 2, 0, 23}, Minute: {"minute", 2, 0, 59}, Second: {"second", 2, 0, 59}}

func parseDTM(text string) (d DTM, err error) {
	values := [...]int{Year: 1, Month: 1, Day: 1, Hour: 0, Minute: 0, Second: 0}
	rest := text
	for rest != "" && rest[0] != '.' && rest[0] != '+' && rest[0] != '-' {
		if d.Precision == Second {
			return d, fmt.Errorf("behind the second, at character %d, only a fraction or a zone can follow", len(text)-len(rest)+1)
		}
		p := &dtmParts[d.Precision+1]
		n, ok := digits(rest, p.digits)
		if !ok || n < p.least || n > p.most {
			return d, fmt.Errorf("the %s at character %d must have %d digits and be between %d and %d", p.name, len(text)-len(rest)+1, p.digits, p.least, p.most)
		}
		d.Precision++
		values[d.Precision] = n
		rest = rest[p.digits:]
	}
	if d.Precision == NoTime {
		return d, errors.New("it must begin with a year of four digits")
	}
	nanoseconds := 0
	if rest != "" && rest[0] == '.' {
		end := 1
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		if d.Fraction = end - 1; d.Precision != Second || d.Fraction < 1 || d.Fraction > 9 {
			return d, fmt.Errorf("a fraction, at character %d, follows a second and has one to nine digits", len(text)-len(rest)+1)
		}
		nanoseconds, _ = digits(rest[1:end]+"000000000"[d.Fraction:], 9)
		rest = rest[end:]
	}
	zone := time.UTC
	if rest != "" {
		hours, ok := digits(rest[1:], 2)
		minutes, okay := digits(rest[min(3, len(rest)):], 2)
		if !ok || !okay || len(rest) != 5 || rest[0] != '+' && rest[0] != '-' || hours > 23 || minutes > 59 {
			return d, fmt.Errorf("the zone at character %d must be a sign and four digits, such as +0100", len(text)-len(rest)+1)
		}
		offset := hours*3600 + minutes*60
		if rest[0] == '-' {
			offset, d.negativeZero = -offset, offset == 0
		}
		d.Zone = true
		zone = time.FixedZone("", offset)
	}
	d.Time = time.Date(values[Year], time.Month(values[Month]), values[Day], values[Hour], values[Minute], values[Second], nanoseconds, zone)
	if d.Time.Day() != values[Day] {
		return d, fmt.Errorf("the day at character 7 is not in its month")
	}
	return d, nil
}

// digits reads the first n characters as a number.
func digits(s string, n int) (int, bool) {
	if len(s) < n {
		return 0, false
	}
	v := 0
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		v = 10*v + int(s[i]-'0')
	}
	return v, true
}

// String returns the time as HL7 writes it, as it was read. The zero DTM is "".
func (d DTM) String() string {
	layouts := [...]string{Year: "2006", Month: "200601", Day: "20060102", Hour: "2006010215", Minute: "200601021504", Second: "20060102150405"}
	if d.Precision <= NoTime || d.Precision > Second {
		return ""
	}
	layout := layouts[d.Precision]
	if d.Precision == Second && d.Fraction > 0 {
		layout += "." + "000000000"[:min(d.Fraction, 9)]
	}
	switch {
	case d.Zone && d.negativeZero:
		layout += "-0000"
		return d.Time.Format(layout[:len(layout)-5]) + "-0000"
	case d.Zone:
		layout += "-0700"
	}
	return d.Time.Format(layout)
}

// In returns the same year, month, day and so on in a zone, where none was told: a time
// without a zone is the sender's own. One that has its zone is returned as it is. A time
// that the zone skips, as in the hour that summer time leaves out, moves as [time.Date]
// does. loc must not be nil.
func (d DTM) In(loc *time.Location) DTM {
	if d.Zone || d.Precision == NoTime {
		return d
	}
	t := d.Time
	d.Time = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
	d.Zone = true
	return d
}

// IsZero reports whether there is no time.
func (d DTM) IsZero() bool { return d.Precision == NoTime }

// MarshalText returns what [DTM.String] does.
func (d DTM) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [ParseDTM] does.
func (d *DTM) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = DTM{}
		return nil
	}
	read, err := parseDTM(string(text))
	if err != nil {
		return fmt.Errorf("this is no date and time: %w", err)
	}
	*d = read
	return nil
}
