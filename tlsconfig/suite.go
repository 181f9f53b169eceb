package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"fmt"
	"strings"
)

// A CipherSuite is one of TLS 1.2, by its name in the registry of IANA, such as
// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256. Those of TLS 1.3 are all safe and can't be
// chosen. Go has no DHE suites.
type CipherSuite uint16

// UnmarshalText reads a name. One that is unknown, unsafe or of TLS 1.3 is refused, with
// those that can be chosen.
func (c *CipherSuite) UnmarshalText(text []byte) error {
	name := string(text)
	for _, s := range tls.InsecureCipherSuites() {
		if s.Name == name {
			return fmt.Errorf("%s is not safe and is never spoken: take of %s", name, strings.Join(suiteNames(), ", "))
		}
	}
	for _, s := range tls.CipherSuites() {
		switch {
		case s.Name != name:
		case s.SupportedVersions[0] != tls.VersionTLS13 && fips140.Enabled() && !approvedSuite(name):
			return fmt.Errorf("%s isn't approved in FIPS 140-3 mode, in which this program runs, and is never spoken: take of %s", name, strings.Join(suiteNames(), ", "))
		case s.SupportedVersions[0] == tls.VersionTLS13:
			return fmt.Errorf("%s is of TLS 1.3, which chooses by itself: leave it away", name)
		default:
			*c = CipherSuite(s.ID)
			return nil
		}
	}
	if strings.Contains(name, "_DHE_") {
		return fmt.Errorf("%s is not known here, because Go has no DHE suites: take of %s", name, strings.Join(suiteNames(), ", "))
	}
	return fmt.Errorf("%q is no cipher suite: take of %s", name, strings.Join(suiteNames(), ", "))
}

// String returns the name.
func (c CipherSuite) String() string { return tls.CipherSuiteName(uint16(c)) }

// suiteNames are those that can be chosen.
func suiteNames() (names []string) {
	for _, s := range tls.CipherSuites() {
		if s.SupportedVersions[0] != tls.VersionTLS13 && (!fips140.Enabled() || approvedSuite(s.Name)) {
			names = append(names, s.Name)
		}
	}
	return names
}

// validSuites checks suites that were not read from text.
func validSuites(suites []CipherSuite, lowest Version) error {
	if len(suites) > 0 && lowest == TLS13 {
		return field("cipher-suites", fmt.Errorf("are of TLS 1.2, and min-version is 1.3: leave one away"))
	}
	for i, c := range suites {
		if err := new(CipherSuite).UnmarshalText([]byte(c.String())); err != nil {
			return field(fmt.Sprintf("cipher-suites[%d]", i), err)
		}
	}
	return nil
}

func setSuites(c *tls.Config, suites []CipherSuite) {
	for _, s := range suites {
		c.CipherSuites = append(c.CipherSuites, uint16(s))
	}
}
