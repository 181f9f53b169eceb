package tlsconfig

import (
	"cmp"
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

// MarshalText returns what String returns.
func (l Location) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

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

// A Store is a certificate store of Windows, such as Personal of the computer, which is the
// zero value. Elsewhere than on Windows its methods fail with ErrUnsupported.
type Store struct {
	// Name is what Windows calls it. The default is My, which the certificate manager shows
	// as Personal.
	Name string
	// Location says whose store it is. The default is LocalMachine, which only
	// administrators can change.
	Location Location
}

// A StoreEntry is a certificate in a Store.
type StoreEntry struct {
	Certificate *x509.Certificate
	// HasKey reports whether there is a private key to it. Whether this account may use it
	// shows when it is loaded.
	HasKey bool
}

// List returns the certificates in the store, in its order.
func (s Store) List() ([]StoreEntry, error) {
	var all []StoreEntry
	err := readStore(s.Location, s.name(), func(found []storeCertificate) error {
		for _, f := range found {
			all = append(all, StoreEntry{f.leaf, f.hasKey})
		}
		return nil
	})
	return all, s.explain(err)
}

// Import puts the certificate of a file, with its private key, into the store, and its
// intermediates into the store of intermediates. The key can't be exported from there. One
// that is there already is replaced. It returns the certificate.
func (s Store) Import(c Certificate) (*x509.Certificate, error) {
	pair, err := c.Load()
	if err != nil {
		return nil, err
	}
	defer release(pair)
	if err := importPair(s.Location, s.name(), pair); err != nil {
		return nil, s.explain(err)
	}
	return pair.Leaf, nil
}

// Remove takes a certificate out of the store. Its private key may stay in its provider,
// where nothing names it any more.
func (s Store) Remove(t Thumbprint) error {
	t, err := ParseThumbprint(string(t))
	if err != nil {
		return err
	}
	found, err := removeFromStore(s.Location, s.name(), t)
	if err == nil && !found {
		err = fmt.Errorf("%w with the thumbprint %s", ErrNoCertificate, t)
	}
	return s.explain(err)
}

func (s Store) name() string { return cmp.Or(s.Name, personalStore) }

func (s Store) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(`%v\%s: %w`, s.Location, s.name(), err)
}

// A storeCertificate is a certificate in the Windows store.
type storeCertificate struct {
	leaf   *x509.Certificate
	hasKey bool
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
	store := cmp.Or(c.Store, personalStore)
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
			if location == c.Location && strings.EqualFold(store, cmp.Or(c.Store, personalStore)) {
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
