package tlsconfig

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"
)

// Ending is what a watched Source says of certificates that end, at a time.
func (s *Source) Ending(now time.Time) []Notice { return s.ending(now) }

// ToDER converts BER.
func ToDER(raw []byte) ([]byte, error) { return toDER(raw) }

// WatchStaples looks after OCSP responses alone, by a transport, until ctx ends.
func (s *Source) WatchStaples(ctx context.Context, t http.RoundTripper, notify func(Notice)) {
	s.staples.transport = t
	s.watchStaples(ctx, notify)
}

// ParseOCSP reports whether a response says that leaf is good.
func ParseOCSP(der []byte, leaf, issuer *x509.Certificate, now time.Time) error {
	_, err := parseOCSP(der, leaf, issuer, now)
	return err
}
