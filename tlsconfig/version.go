package tlsconfig

import (
	"crypto/tls"
	"fmt"
)

// A Version is a version of TLS. The zero value stands for the default. Versions before
// 1.2 can't be named: they are not safe (BCP 195, RFC 8996).
type Version uint16

// Versions of TLS.
const (
	TLS12 Version = tls.VersionTLS12
	TLS13 Version = tls.VersionTLS13
)

// UnmarshalText reads "1.2" or "1.3".
func (v *Version) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "1.2":
		*v = TLS12
	case "1.3":
		*v = TLS13
	case "1.0", "1.1":
		return fmt.Errorf("TLS %s is not safe and is never spoken: write 1.2 or 1.3", s)
	default:
		return fmt.Errorf("%q is no version of TLS: write 1.2 or 1.3", s)
	}
	return nil
}

// String returns "1.2", "1.3", or "" for the zero value.
func (v Version) String() string {
	switch v {
	case TLS12:
		return "1.2"
	case TLS13:
		return "1.3"
	case 0:
		return ""
	}
	return fmt.Sprintf("0x%04x", uint16(v))
}

// validVersions checks a lower and an upper bound.
func validVersions(lowest, highest Version) error {
	for name, v := range map[string]Version{"min-version": lowest, "max-version": highest} {
		if v != 0 && v != TLS12 && v != TLS13 {
			return field(name, fmt.Errorf("%v is no version of TLS that is spoken here: 1.2 and 1.3 are", v))
		}
	}
	if highest != 0 && highest < lowest {
		return field("max-version", fmt.Errorf("%v is before min-version %v", highest, lowest))
	}
	return nil
}

// setVersions puts the bounds into c, with the floor of TLS 1.2.
func setVersions(c *tls.Config, lowest, highest Version) {
	c.MinVersion = max(uint16(lowest), tls.VersionTLS12)
	c.MaxVersion = uint16(highest)
}
