package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	xacme "golang.org/x/crypto/acme"
)

const (
	// attempt and attemptName bound the time from the first question to the certificate: so
	// much, and so much more for each name.
	attempt     = 5 * time.Minute
	attemptName = 10 * time.Second
	// answer bounds the time of one question to the authority, and maxAnswer its size.
	answer    = 30 * time.Second
	maxAnswer = 6 << 20
	// maxAsked is how often one question is asked that the authority is too busy for.
	maxAsked = 5
)

// The two ways to prove a name.
const (
	byHTTP = "http-01"
	byTLS  = "tls-alpn-01"
)

// obtain gets a new certificate for the names. It returns either that or an error, which
// says what to do.
func (s *issued) obtain(ctx context.Context) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, s.attempt())
	defer cancel()
	client, done, err := s.client()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.register(ctx, client); err != nil {
		return nil, s.explain(err, client, "")
	}
	order, err := client.AuthorizeOrder(ctx, xacme.DomainIDs(s.names...))
	if err != nil {
		return nil, s.explain(err, client, "")
	}
	for _, url := range order.AuthzURLs {
		if way, err := s.authorize(ctx, client, url); err != nil {
			return nil, s.explain(err, client, way)
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return nil, s.explain(err, client, "")
	}
	pair, err := s.finalize(ctx, client, order)
	if err != nil {
		return nil, s.explain(err, client, "")
	}
	return pair, nil
}

func (s *issued) attempt() time.Duration {
	return attempt + time.Duration(len(s.names))*attemptName
}

// client returns a client of the authority, and what to call when it is done with.
func (s *issued) client() (*xacme.Client, func(), error) {
	roots, err := s.settings.roots()
	if err != nil {
		return nil, nil, inField("directory-ca", err)
	}
	var d dialer
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         d.dial,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: answer,
		ForceAttemptHTTP2:   true,
	}
	return &xacme.Client{
		Key:          s.account,
		HTTPClient:   &http.Client{Transport: bounded{transport}, Timeout: answer},
		DirectoryURL: s.settings.directory(),
		UserAgent:    "ladle",
		RetryBackoff: func(n int, _ *http.Request, resp *http.Response) time.Duration {
			switch {
			case n >= maxAsked || resp.StatusCode == http.StatusTooManyRequests:
				return 0 // the loop outside has longer pauses
			case resp.StatusCode == http.StatusBadRequest:
				return time.Millisecond // a nonce that was too old: the next is fresh
			}
			return time.Second << n
		},
	}, d.close, nil
}

// A dialer closes what it has opened, idle or not: a question that was broken off may keep
// its connection busy for a while.
type dialer struct {
	mu   sync.Mutex
	open []net.Conn
	done bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	d.open = append(d.open, c)
	return c, nil
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
	for _, c := range d.open {
		c.Close()
	}
}

// bounded bounds the size of answers.
type bounded struct{ inner http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.inner.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// register finds the account of our key, or makes it.
func (s *issued) register(ctx context.Context, client *xacme.Client) error {
	account, err := client.GetReg(ctx, "")
	if errors.Is(err, xacme.ErrNoAccount) {
		wanted := new(xacme.Account)
		if s.settings.Email != "" {
			wanted.Contact = []string{"mailto:" + s.settings.Email}
		}
		if s.settings.EAB.KeyID != "" {
			key, err := s.settings.EAB.key()
			if err != nil {
				return inField("eab.hmac", err)
			}
			wanted.ExternalAccountBinding = &xacme.ExternalAccountBinding{KID: s.settings.EAB.KeyID, Key: key}
		}
		account, err = client.Register(ctx, wanted, func(string) bool { return s.settings.AcceptTerms })
		if errors.Is(err, xacme.ErrAccountAlreadyExists) {
			return nil // another server with our storage was faster
		}
	}
	if err != nil {
		return err
	}
	client.KID = xacme.KeyID(account.URI)
	return nil
}

// authorize proves one name, and returns the way in which.
func (s *issued) authorize(ctx context.Context, client *xacme.Client, url string) (way string, err error) {
	authz, err := client.GetAuthorization(ctx, url)
	if err != nil || authz.Status == xacme.StatusValid {
		return "", err
	}
	challenge := s.choose(authz.Challenges)
	if challenge == nil {
		var offered []string
		for _, c := range authz.Challenges {
			offered = append(offered, c.Type)
		}
		return "", fmt.Errorf("the authority wants a proof for %s by %s: set http-address for http-01; other ways than that and tls-alpn-01 are not supported", authz.Identifier.Value, strings.Join(offered, " or "))
	}
	way = challenge.Type
	withdraw, err := s.prepare(client, challenge, strings.ToLower(authz.Identifier.Value))
	if err != nil {
		return way, err
	}
	defer withdraw()
	if _, err := client.Accept(ctx, challenge); err != nil {
		return way, err
	}
	_, err = client.WaitAuthorization(ctx, url)
	return way, err
}

// choose prefers the way that was set up on purpose.
func (s *issued) choose(offered []*xacme.Challenge) (chosen *xacme.Challenge) {
	for _, c := range offered {
		if c.Type == byTLS && chosen == nil || c.Type == byHTTP && s.http != nil {
			chosen = c
		}
	}
	return chosen
}

// prepare makes the proof ready to be looked at, until withdraw is called.
func (s *issued) prepare(client *xacme.Client, c *xacme.Challenge, name string) (withdraw func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Type == byHTTP {
		text, err := client.HTTP01ChallengeResponse(c.Token)
		if err != nil {
			return nil, err
		}
		s.tokens[c.Token] = text
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.tokens, c.Token)
		}, nil
	}
	pair, err := client.TLSALPN01ChallengeCert(c.Token, name)
	if err != nil {
		return nil, err
	}
	s.proofs[name] = &pair
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.proofs, name)
	}, nil
}

// finalize has the authority sign a new key.
func (s *issued) finalize(ctx context.Context, client *xacme.Client, order *xacme.Order) (*tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{DNSNames: s.names}
	if len(s.names[0]) <= 64 { // the most that a common name can have (RFC 5280, A.1)
		template.Subject = pkix.Name{CommonName: s.names[0]}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := client.CreateCertFromOrder(ctx, order, csr, true)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("the authority has given something that is no certificate: %w", err)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, fmt.Errorf("the authority has given a certificate for another key: %w", tlsconfig.ErrKeyMismatch)
	}
	if err := isFor(leaf, s.names); err != nil {
		return nil, fmt.Errorf("the authority has given another certificate than was asked for: %w", err)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}
