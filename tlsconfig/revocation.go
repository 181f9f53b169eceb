package tlsconfig

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"
)

// revocations are lists of certificates that their authorities have revoked (RFC 5280,
// section 5). They are read again when their files change, since new ones come out every
// few days.
type revocations struct {
	files []string

	mu    sync.Mutex
	stamp string
	lists []*x509.RevocationList
}

func readRevocations(files []string) (*revocations, error) {
	r := &revocations{files: files}
	var errs []error
	for i, f := range files {
		if _, err := readRevocationFile(f); err != nil {
			errs = append(errs, field(fmt.Sprintf("crl[%d]", i), err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	_, err := r.current()
	return r, err
}

// current returns the lists as they are in the files now. When a file can't be read, those
// that were read last stay: they lapse by their own date.
func (r *revocations) current() ([]*x509.RevocationList, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stamp := stamps(r.files)
	if stamp == r.stamp {
		return r.lists, nil
	}
	var all []*x509.RevocationList
	for _, f := range r.files {
		lists, err := readRevocationFile(f)
		if err != nil {
			if r.lists != nil {
				return r.lists, nil
			}
			return nil, err
		}
		all = append(all, lists...)
	}
	r.stamp, r.lists = stamp, all
	return all, nil
}

func readRevocationFile(name string) ([]*x509.RevocationList, error) {
	raw, err := readFile(name)
	if err != nil {
		return nil, err
	}
	ders := [][]byte{raw}
	if isPEM(raw) {
		blocks, err := pemBlocks(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ders = nil
		for _, b := range blocks {
			if b.Type == "X509 CRL" {
				ders = append(ders, b.Bytes)
			}
		}
	}
	var all []*x509.RevocationList
	for _, der := range ders {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: no revocation list (CRL) in PEM or DER", name, ErrUnsupported)
		}
		all = append(all, list)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w: the PEM file has no revocation list (X509 CRL)", name, ErrUnsupported)
	}
	return all, nil
}

// check looks a chain up, from the leaf on. The leaf's authority must have a list that is
// in force; those above are looked up where they have one.
func (r *revocations) check(chain []*x509.Certificate, now time.Time) error {
	lists, err := r.current()
	if err != nil {
		return fmt.Errorf("%w: the revocation lists can't be read", ErrNotTrusted)
	}
	for i := range len(chain) - 1 {
		c, issuer := chain[i], chain[i+1]
		var newest *x509.RevocationList
		for _, l := range lists {
			if bytes.Equal(l.RawIssuer, issuer.RawSubject) && l.CheckSignatureFrom(issuer) == nil && (newest == nil || l.ThisUpdate.After(newest.ThisUpdate)) {
				newest = l
			}
		}
		switch {
		case newest == nil && i > 0:
			continue
		case newest == nil:
			return fmt.Errorf("%w: there is no revocation list of its authority %q among the files named as crl", ErrNotTrusted, issuer.Subject)
		case !newest.NextUpdate.IsZero() && now.After(newest.NextUpdate):
			return fmt.Errorf("%w: the revocation list of its authority %q has lapsed on %s: fetch the new one", ErrNotTrusted, issuer.Subject, newest.NextUpdate.UTC().Format(time.DateOnly))
		}
		for _, e := range newest.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return fmt.Errorf("%w: %w by %q on %s", ErrNotTrusted, ErrRevoked, issuer.Subject, e.RevocationTime.UTC().Format(time.DateOnly))
			}
		}
	}
	return nil
}
