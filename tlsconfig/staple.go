package tlsconfig

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// maxStaple is the largest OCSP response that is read. They have a few kB.
	maxStaple = 64 << 10
	// askTimeout is how long a responder may take.
	askTimeout = 10 * time.Second
	// firstPause and lastPause are how long it is until a responder that has failed is asked
	// again; each pause is twice the one before. No responder is asked sooner.
	firstPause, lastPause = time.Minute, time.Hour
)

// staples are the OCSP responses that a [Source] shows with its certificates.
type staples struct {
	transport http.RoundTripper // to responders
	wake      chan struct{}     // when a file or a certificate may have changed
	all       []*stapling       // by the goroutine that watches

	mu    sync.RWMutex
	shown map[string]shownStaple // by the certificate
}

type shownStaple struct {
	der   []byte
	until time.Time
}

// A stapling is where the responses for one certificate come from, and how that goes.
type stapling struct {
	Certificate
	place    string // of the setting
	pair     func() tls.Certificate
	leaf     *x509.Certificate // that was looked after last
	stamp    string            // of the file
	until    time.Time         // when what is shown lapses; zero when nothing is
	due      time.Time         // when the responder is asked next
	failures int               // in a row
}

// loadStaples reads the responses that are in files, and looks whether the others can be
// fetched. Certificates of issuers and of binding tables have none.
func (s *Source) loadStaples(now time.Time) error {
	var errs []error
	at := 0 // among the certificates, which those of issuers aren't
	for i, c := range s.settings {
		if c.Issuer != nil || c.Bound != "" {
			continue
		}
		n := at
		at++
		if c.Staple == "" && !c.FetchStaple {
			continue
		}
		p := &stapling{Certificate: c, place: fmt.Sprintf("certificate[%d]", i), pair: func() tls.Certificate { return (*s.certificates.Load())[n] }}
		p.leaf, p.stamp = p.pair().Leaf, stamps([]string{c.Staple})
		r, err := c.readStaple(p.pair(), now)
		if errors.Is(err, errLapsed) { // at night, a refused start helps nobody
			s.warnings = append(s.warnings, fmt.Sprintf("%v; none is shown until then", err))
		} else if err != nil {
			errs = append(errs, inField(p.place, err))
		} else if r != nil {
			s.staples.show(p, r)
		}
		s.staples.all = append(s.staples.all, p)
	}
	if len(s.staples.all) > 0 {
		s.staples.wake = make(chan struct{}, 1)
		// No connection is kept: hours pass before the next request.
		s.staples.transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	return errors.Join(errs...)
}

// readStaple checks the settings for stapling, and returns the response of the file if one
// is named.
func (c Certificate) readStaple(pair tls.Certificate, now time.Time) (*ocsp.Response, error) {
	switch {
	case c.FetchStaple && c.Staple != "":
		return nil, field("fetch-staple", errors.New("fetches the OCSP response that staple reads from a file: leave one away"))
	case c.FetchStaple:
		if len(responders(pair.Leaf)) == 0 {
			return nil, field("fetch-staple", errors.New("the certificate names no OCSP responder to fetch from: name a file with the response as staple, or leave both away"))
		}
		_, err := c.issuerOf(pair)
		return nil, field("fetch-staple", err)
	case c.Staple == "":
		return nil, nil
	}
	der, err := readStapleFile(c.Staple)
	if err != nil {
		return nil, field("staple", err)
	}
	issuer, err := c.issuerOf(pair)
	if err != nil {
		return nil, field("staple", err)
	}
	r, err := parseOCSP(der, pair.Leaf, issuer, now)
	if err != nil {
		return nil, field("staple", fmt.Errorf("%s: %w", c.Staple, err))
	}
	return r, nil
}

// readStapleFile returns the DER in a file that has it, or PEM, or Base64.
func readStapleFile(name string) ([]byte, error) {
	raw, err := readFile(name)
	switch {
	case err != nil:
		return nil, err
	case len(raw) > 2*maxStaple: // Base64 has a third more
		return nil, fmt.Errorf("%s is larger than %d kB: that is no OCSP response", name, 2*maxStaple>>10)
	}
	if block, _ := pem.Decode(raw); block != nil {
		return block.Bytes, nil
	}
	if der, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(raw))); err == nil {
		return der, nil
	}
	return raw, nil
}

// issuerOf returns the certificate of the authority that has signed a certificate, which
// signs its OCSP responses, too.
func (c Certificate) issuerOf(pair tls.Certificate) (*x509.Certificate, error) {
	if isSelfSigned(pair.Leaf) {
		return nil, errors.New("the certificate has signed itself, and there is no authority to say anything of it: leave this away")
	}
	var known content
	for _, der := range pair.Certificate[1:] {
		if i, err := x509.ParseCertificate(der); err == nil {
			known.certificates = append(known.certificates, i)
		}
	}
	if i := known.issuer(pair.Leaf, nil); i != nil {
		return i, nil
	}
	// A root isn't shown to peers, and may be in the file nevertheless.
	for _, name := range []string{c.File, c.KeyFile} {
		if name == "" {
			continue
		}
		raw, err := readFile(name)
		if err != nil {
			return nil, err
		}
		read := readDER
		if isPEM(raw) {
			read = readPEM
		}
		if found, err := read(raw, c.Password); err == nil {
			if i := found.issuer(pair.Leaf, nil); i != nil {
				return i, nil
			}
		}
	}
	if chains, err := pair.Leaf.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil && len(chains[0]) > 1 {
		return chains[0][1], nil
	}
	return nil, fmt.Errorf("the certificate of the authority %q is needed to check the OCSP response: add it to the certificate's file", pair.Leaf.Issuer)
}

// responders are where c says that responses are.
func responders(c *x509.Certificate) []string {
	return slices.DeleteFunc(slices.Clone(c.OCSPServer), func(s string) bool {
		u, err := url.Parse(s)
		return err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""
	})
}

// withStaple returns c with the response that belongs to it, if there is one in force.
func (s *Source) withStaple(c *tls.Certificate, err error) (*tls.Certificate, error) {
	if err != nil || c == nil || c.Leaf == nil || len(s.staples.all) == 0 {
		return c, err
	}
	s.staples.mu.RLock()
	found, ok := s.staples.shown[string(c.Leaf.Raw)]
	s.staples.mu.RUnlock()
	if !ok || !found.until.After(time.Now()) {
		return c, nil
	}
	with := *c
	with.OCSPStaple = found.der
	return &with, nil
}

// show shows r from now on, and reports whether it is another one than before.
func (s *staples) show(p *stapling, r *ocsp.Response) bool {
	p.until = lapses(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == nil {
		s.shown = make(map[string]shownStaple)
	}
	before := s.shown[string(p.leaf.Raw)]
	s.shown[string(p.leaf.Raw)] = shownStaple{r.Raw, p.until}
	return !bytes.Equal(before.der, r.Raw)
}

// hide shows none any more for the certificate that p is about.
func (s *staples) hide(p *stapling) {
	p.until = time.Time{}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shown, string(p.leaf.Raw))
}

// changed makes the goroutine that looks after the responses look at the files.
func (s *staples) changed() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway, or there is nothing to look after
	}
}

// watchStaples looks after the responses until ctx ends.
func (s *Source) watchStaples(ctx context.Context, notify func(Notice)) {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		woken := false
		select {
		case <-ctx.Done():
			return
		case <-s.staples.wake:
			woken = true
		case <-next.C:
		}
		wait := time.Minute // at most: the clock may be set, and Renew may be called
		for _, p := range s.staples.all {
			s.look(ctx, p, woken, notify)
			for _, t := range []time.Time{p.until, p.due} {
				if !t.IsZero() {
					wait = min(wait, max(0, time.Until(t)))
				}
			}
		}
		next.Reset(wait)
	}
}

// look does for one certificate what is to be done now. Files are read when something was
// written and has settled, as changed says.
func (s *Source) look(ctx context.Context, p *stapling, changed bool, notify func(Notice)) {
	pair := p.pair()
	renewed := !pair.Leaf.Equal(p.leaf)
	if renewed {
		s.staples.hide(p)
		p.leaf, p.due, p.failures = pair.Leaf, time.Time{}, 0
	}
	if !p.until.IsZero() && !p.until.After(time.Now()) {
		end := p.until
		s.staples.hide(p)
		notify(Notice{Kind: NotStapled, Certificate: p.leaf, Err: inField(p.place, field(p.source(), fmt.Errorf("the OCSP response has lapsed on %s, and none is shown: a new one is to be fetched", minute(end))))})
	}
	var r *ocsp.Response
	var err error
	switch stamp := stamps([]string{p.Staple}); {
	case p.FetchStaple && !p.due.After(time.Now()):
		r, err = p.fetch(ctx, s.staples.transport, pair)
		if ctx.Err() != nil {
			return
		}
		p.plan(r, time.Now())
	case p.Staple != "" && (renewed || changed && stamp != p.stamp):
		p.stamp = stamp
		r, err = p.readStaple(pair, time.Now())
	default:
		return
	}
	switch {
	case err != nil:
		notify(Notice{Kind: NotStapled, Certificate: p.leaf, Err: inField(p.place, err)})
	case s.staples.show(p, r):
		notify(Notice{Kind: Stapled, Certificate: p.leaf, Until: p.until})
	}
}

// source is the setting that the responses come by.
func (p *stapling) source() string {
	if p.FetchStaple {
		return "fetch-staple"
	}
	return "staple"
}

// plan says when the responder is asked next: at half of the time that r, which it has
// answered with, is in force yet, or after a pause when it has failed.
func (p *stapling) plan(r *ocsp.Response, now time.Time) {
	if r == nil {
		p.due = now.Add(min(firstPause<<min(p.failures, 10), lastPause))
		p.failures++
		return
	}
	p.due, p.failures = now.Add(max(firstPause, lapses(r).Sub(now)/2)), 0
}

// fetch asks the responders that the certificate names, one after another.
func (p *stapling) fetch(ctx context.Context, transport http.RoundTripper, pair tls.Certificate) (*ocsp.Response, error) {
	issuer, err := p.issuerOf(pair)
	if err != nil {
		return nil, field("fetch-staple", err)
	}
	var request []byte
	fips140.WithoutEnforcement(func() { // SHA-1 names the authority, and is what every responder knows
		request, err = ocsp.CreateRequest(pair.Leaf, issuer, nil)
	})
	if err != nil {
		return nil, field("fetch-staple", err)
	}
	errs := []error{errors.New("the certificate names no OCSP responder to fetch from")}
	for i, u := range responders(pair.Leaf) {
		if i == 0 {
			errs = nil
		}
		der, err := ask(ctx, transport, u, request)
		if err == nil {
			var r *ocsp.Response
			if r, err = parseOCSP(der, pair.Leaf, issuer, time.Now()); err == nil {
				return r, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", u, err))
	}
	return nil, field("fetch-staple", errors.Join(errs...))
}

// ask sends a request to a responder (RFC 6960, appendix A). It goes nowhere else.
func ask(ctx context.Context, transport http.RoundTripper, responder string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, responder, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	r.Header.Set("Accept", "application/ocsp-response")
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the rest is said already
		}
		return nil, fmt.Errorf("the OCSP responder can't be reached: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the OCSP responder answers with %s", answer.Status)
	}
	der, err := io.ReadAll(io.LimitReader(answer.Body, maxStaple+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the OCSP responder has broken off: %w", err)
	case len(der) > maxStaple:
		return nil, fmt.Errorf("the OCSP responder answers with more than %d kB: that is no OCSP response", maxStaple>>10)
	}
	return der, nil
}
