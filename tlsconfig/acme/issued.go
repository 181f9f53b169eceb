package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	xacme "golang.org/x/crypto/acme"
)

// ErrNotIssued says that a handshake came before there was a certificate to show.
var ErrNotIssued = errors.New("no certificate has been issued yet")

const (
	// firstRetry is how long to wait after a first failure, and twice as long after each
	// further one, up to lastRetry: Let's Encrypt allows five failed proofs in an hour.
	firstRetry = 2 * time.Minute
	lastRetry  = 2 * time.Hour
	// longestWait is the most that an authority can have us wait.
	longestWait = 24 * time.Hour
	// look is how often the clock on the wall is looked at, which may be set, or go on while
	// the computer sleeps, and what others have put into the storage.
	look = time.Minute
)

// issued is an Issuer that is open.
type issued struct {
	settings Issuer
	names    []string // in small letters
	retry    time.Duration
	storage  storage
	account  crypto.Signer
	damaged  []error // what was found in the storage, to be told by Watch

	certificate atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	tokens map[string]string           // for HTTP-01: what to answer
	proofs map[string]*tls.Certificate // for TLS-ALPN-01: what to show, by name

	http          *http.Server // nil without HTTP-01
	listenerEnded chan error   // nil without
	serving       sync.WaitGroup
}

// restore reads what is in the storage.
func (s *issued) restore() error {
	var err error
	if s.storage, err = openStorage(s.settings.Storage, s.settings.directory()); err != nil {
		return err
	}
	var damaged error
	if s.account, damaged, err = s.storage.account(); err != nil {
		return fmt.Errorf("the account's key can't be kept: %w", err)
	}
	if damaged != nil {
		s.damaged = append(s.damaged, damaged)
	}
	pair, err := s.storage.certificate(s.names)
	var unusable *damagedError
	switch {
	case errors.As(err, &unusable):
		s.damaged = append(s.damaged, err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && time.Now().Before(pair.Leaf.NotAfter):
		s.certificate.Store(pair)
	}
	return nil
}

// Names returns the domains.
func (s *issued) Names() []string { return slices.Clone(s.names) }

// Leaves returns the certificate, if there is one.
func (s *issued) Leaves() []*x509.Certificate {
	if leaf := s.leaf(); leaf != nil {
		return []*x509.Certificate{leaf}
	}
	return nil
}

func (s *issued) leaf() *x509.Certificate {
	if c := s.certificate.Load(); c != nil {
		return c.Leaf
	}
	return nil
}

// GetCertificate returns the certificate, or the proof when the authority asks for it. It
// never blocks.
func (s *issued) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if slices.Equal(hello.SupportedProtos, []string{xacme.ALPNProto}) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p := s.proofs[name]; p != nil {
			return p, nil
		}
		return nil, fmt.Errorf("acme: there is no proof to give for %q: none was asked for", name)
	}
	if !slices.Contains(s.names, name) {
		return nil, fmt.Errorf("acme: %q is none of the domains that there are certificates for", name)
	}
	c := s.certificate.Load()
	if c == nil {
		return nil, fmt.Errorf("acme: %w for %s: see the notices for why", ErrNotIssued, name)
	}
	return c, nil
}

// Watch gets the certificate when there is none, and renews it, until ctx ends.
func (s *issued) Watch(ctx context.Context, notify func(tlsconfig.Notice)) {
	failed := func(err error) {
		notify(tlsconfig.Notice{Kind: tlsconfig.NotRenewed, Certificate: s.leaf(), Err: err})
	}
	for _, err := range s.damaged {
		failed(err)
	}
	listenerEnded := s.listenerEnded
	failures := 0
	var notBefore time.Time // after a failure
	var unsaved *tls.Certificate
	for {
		timer := time.NewTimer(s.wait(time.Now(), notBefore))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case err := <-listenerEnded:
			timer.Stop()
			failed(fmt.Errorf("nothing listens on http-address any more, so that the next renewal will fail: restart the program: %w", err))
			listenerEnded = nil
			continue
		case <-timer.C:
		}
		if unsaved != nil && s.storage.store(s.names, unsaved) == nil {
			unsaved = nil
		}
		if s.adopt(time.Now()) {
			failures, notBefore = 0, time.Time{}
			notify(tlsconfig.Notice{Kind: tlsconfig.Renewed, Certificate: s.leaf()})
		}
		if now := time.Now(); now.Before(s.due()) || now.Before(notBefore) {
			continue
		}
		pair, err := s.obtain(ctx)
		if pair != nil {
			// It is shown even if it can't be kept: partners are waiting.
			kept := s.storage.store(s.names, pair)
			s.certificate.Store(pair)
			notify(tlsconfig.Notice{Kind: tlsconfig.Renewed, Certificate: pair.Leaf})
			if unsaved = nil; kept != nil {
				unsaved = pair
				failed(fmt.Errorf("the new certificate is shown, but can't be kept in %s, so that the next start has to ask for another: make room there, and let this account write: %w", s.storage, kept))
			}
			if now := time.Now(); !now.Before(s.due()) {
				err = fmt.Errorf("a new certificate is over or nearly so as soon as it has come, by the clock of this computer, which says %s: set the clock", now.UTC().Format(time.DateTime))
			}
		}
		switch {
		case err == nil:
			failures, notBefore = 0, time.Time{}
		case ctx.Err() != nil:
			return
		default:
			pause := s.pause(failures, err)
			failures++
			notBefore = time.Now().Add(pause)
			failed(fmt.Errorf("%w; tried again in %s", err, pause.Round(time.Second)))
		}
	}
}

// due is when the certificate is to be renewed; the zero time when there is none.
func (s *issued) due() time.Time {
	leaf := s.leaf()
	if leaf == nil {
		return time.Time{}
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	before := life / 3
	if s.settings.RenewBefore > 0 {
		// More would ask for one after the other.
		before = min(s.settings.RenewBefore, life/2)
	}
	return leaf.NotAfter.Add(-before)
}

// wait is how long nothing is to be done.
func (s *issued) wait(now, notBefore time.Time) time.Duration {
	next := s.due()
	if next.Before(notBefore) {
		next = notBefore
	}
	return max(0, min(next.Sub(now), look))
}

// pause is how long to wait after so many failures and one more.
func (s *issued) pause(failures int, err error) time.Duration {
	pause := min(s.retry<<min(failures, 20), lastRetry)
	if asked := retryAfter(err); asked > pause {
		pause = min(asked, longestWait)
	}
	return pause + rand.N(pause/10+1) // so that many don't come back at once
}

// adopt takes the stored certificate when it is newer than ours: another server that has
// the same storage has renewed it.
func (s *issued) adopt(now time.Time) bool {
	pair, err := s.storage.certificate(s.names)
	if err != nil || now.After(pair.Leaf.NotAfter) { // which a new one will replace
		return false
	}
	if leaf := s.leaf(); leaf != nil && !pair.Leaf.NotAfter.After(leaf.NotAfter) {
		return false
	}
	s.certificate.Store(pair)
	return true
}

// Close closes the listener of HTTP-01.
func (s *issued) Close() error {
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	s.serving.Wait()
	return err
}
