package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Location says whose certificates of the Windows certificate store are meant.
type Location int

const (
	// LocalMachine is the computer's own, which services use. In a file: LocalMachine.
	LocalMachine Location = iota
	// CurrentUser is that of the account that the program runs under. In a file:
	// CurrentUser.
	CurrentUser
)

var locationNames = []string{"LocalMachine", "CurrentUser"}

// String returns "LocalMachine" or "CurrentUser".
func (l Location) String() string {
	if l < 0 || int(l) >= len(locationNames) {
		return fmt.Sprintf("location %d", int(l))
	}
	return locationNames[l]
}

// UnmarshalText reads LocalMachine or CurrentUser, in capitals or small letters.
func (l *Location) UnmarshalText(text []byte) error {
	for i, name := range locationNames {
		if strings.EqualFold(name, string(text)) {
			*l = Location(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no location of the certificate store: write LocalMachine or CurrentUser", text)
}

// personalStore is where Windows keeps certificates with private keys. The certificate
// manager shows it as Personal.
const personalStore = "My"

// A storeCertificate is a certificate in the Windows store.
type storeCertificate struct {
	leaf *x509.Certificate
	// load opens the private key, which stays in the store, and finds the intermediates.
	// The key in what it returns is an io.Closer.
	load func() (tls.Certificate, error)
}

// loadFromStore finds the certificate by thumbprint, or the newest valid one by name.
func (c Certificate) loadFromStore() (tls.Certificate, error) {
	where, selects := "thumbprint", c.Thumbprint.Matches
	what := "the thumbprint " + c.Thumbprint.String()
	switch {
	case c.Thumbprint != "":
	case c.Subject != "":
		where, what = "subject", fmt.Sprintf("the subject %q", c.Subject)
		selects = func(x *x509.Certificate) bool {
			return strings.EqualFold(x.Subject.CommonName, c.Subject) || strings.EqualFold(x.Subject.String(), c.Subject)
		}
	default:
		where, what = "san", fmt.Sprintf("the name %q", c.SAN)
		selects = func(x *x509.Certificate) bool { return x.VerifyHostname(c.SAN) == nil }
	}
	store := c.storeName()
	var pair tls.Certificate
	found, others := 0, []*x509.Certificate(nil)
	err := readStore(c.Location, store, func(all []storeCertificate) error {
		var candidates []storeCertificate
		for _, s := range all {
			if selects(s.leaf) {
				candidates = append(candidates, s)
			}
			others = append(others, s.leaf)
		}
		found = len(candidates)
		var err error
		pair, err = newest(candidates, c.Thumbprint != "", time.Now())
		return err
	})
	place := fmt.Sprintf(`%v\%s`, c.Location, store)
	switch {
	case errors.Is(err, ErrUnsupported):
		return tls.Certificate{}, field(where, fmt.Errorf("%w: it was to be the certificate with %s in %s: export it, with its private key, to a PFX file and name that as file", err, what, place))
	case err != nil:
		return tls.Certificate{}, field(where, fmt.Errorf("the certificate with %s in %s: %w", what, place, err))
	case found == 0:
		return tls.Certificate{}, field(where, fmt.Errorf("%w with %s in %s, %s", ErrNoCertificate, what, place, c.elsewhere(selects, others)))
	}
	return pair, nil
}

func (c Certificate) storeName() string {
	if c.Store == "" {
		return personalStore
	}
	return c.Store
}

// newest opens the newest certificate that is valid and has a private key. The one that is
// named by its thumbprint is opened whether it is valid or not.
func newest(candidates []storeCertificate, named bool, now time.Time) (tls.Certificate, error) {
	slices.SortStableFunc(candidates, func(a, b storeCertificate) int { return b.leaf.NotBefore.Compare(a.leaf.NotBefore) })
	var errs []error
	for _, s := range candidates {
		if !named && now.After(s.leaf.NotAfter) {
			errs = append(errs, fmt.Errorf("%s: %w on %s", SHA1(s.leaf), ErrExpired, s.leaf.NotAfter.Format(time.DateOnly)))
			continue
		}
		if !named && now.Before(s.leaf.NotBefore) {
			errs = append(errs, fmt.Errorf("%s: %w before %s", SHA1(s.leaf), ErrNotYetValid, s.leaf.NotBefore.Format(time.DateOnly)))
			continue
		}
		pair, err := s.load()
		if err == nil {
			return pair, nil
		}
		if !named {
			err = fmt.Errorf("%s: %w", SHA1(s.leaf), err)
		}
		errs = append(errs, err)
	}
	return tls.Certificate{}, errors.Join(errs...)
}

// elsewhere says in which other store the certificate is, or what there is here.
func (c Certificate) elsewhere(selects func(*x509.Certificate) bool, here []*x509.Certificate) string {
	for _, location := range []Location{LocalMachine, CurrentUser} {
		for _, store := range []string{personalStore, "WebHosting", "Root", "CA", "TrustedPeople"} {
			if location == c.Location && strings.EqualFold(store, c.storeName()) {
				continue
			}
			found := false
			// A store that can't be read has nothing to say here.
			_ = readStore(location, store, func(all []storeCertificate) error {
				found = slices.ContainsFunc(all, func(s storeCertificate) bool { return selects(s.leaf) })
				return nil
			})
			if found {
				return fmt.Sprintf(`and it is in %v\%s: set location and store, or import it with its private key where it is looked for`, location, store)
			}
		}
	}
	if len(here) == 0 {
		return "which is empty: import the .pfx file there"
	}
	const most = 10
	var b strings.Builder
	b.WriteString("where there are ")
	for i, leaf := range here {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(here)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (%s)", SHA1(leaf), leaf.Subject)
	}
	return b.String()
}
