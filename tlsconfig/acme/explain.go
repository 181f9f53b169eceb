package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	xacme "golang.org/x/crypto/acme"
)

// maxDetail is how much of an authority's own words is told.
const maxDetail = 400

// A refusal is what went wrong in plain words. It wraps the error that says it in others.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.err }

// explain says what went wrong and what to do. way is how a name was being proven, or "".
func (s *issued) explain(err error, client *xacme.Client, way string) error {
	plain := func(format string, args ...any) error {
		return &refusal{fmt.Sprintf(format, args...), err}
	}
	directory := client.DirectoryURL
	if authz, ok := errors.AsType[*xacme.AuthorizationError](err); ok {
		return plain("%s", s.explainProof(authz, way))
	}
	problem := problemOf(err)
	if problem == nil {
		_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
		_, unreached := errors.AsType[*url.Error](err)
		switch {
		case unknown:
			return plain("the authority's own HTTPS server at %s isn't trusted: when it is a private one, name the file with its root certificate as directory-ca", directory)
		case unreached:
			return plain("the authority can't be reached: %s: check directory, the network, the firewall and the proxy (HTTPS_PROXY)", clean(err.Error()))
		case errors.Is(err, context.DeadlineExceeded):
			return plain("the authority at %s hasn't finished within %s", directory, s.attempt())
		}
		return err
	}
	said := clean(problem.Detail)
	for _, sub := range problem.Subproblems {
		if said += "; "; sub.Identifier != nil {
			said += sub.Identifier.Value + ": "
		}
		said += clean(sub.Detail)
	}
	switch kind(problem.ProblemType) {
	case "rateLimited":
		return plain("the authority has had too many requests: %s", said)
	case "externalAccountRequired":
		return plain("the authority gives certificates to its customers alone: get a key id and a key from it and set eab: %s", said)
	case "userActionRequired":
		return plain("the authority wants you to do something, such as to agree to new terms: see %s: %s", clean(problem.Instance), said)
	case "rejectedIdentifier", "unsupportedIdentifier":
		return plain("the authority gives no certificate for one of the domains: %s: check the spelling, or choose another name", said)
	case "caa":
		return plain("the CAA record of a domain forbids this authority: %s: change the record in the DNS, or use another authority", said)
	case "invalidContact", "unsupportedContact":
		return plain("the authority doesn't take the email address: %s: correct email", said)
	case "accountDoesNotExist", "unauthorized", "malformed":
		if client.KID == "" {
			return plain("the authority refuses the account: %s: check eab, or delete %s for a new account", said, s.storage.accountFile())
		}
	case "serverInternal":
		return plain("the authority has a fault of its own: %s", said)
	}
	return plain("the authority at %s refuses: %s (%s)", directory, said, clean(problem.ProblemType))
}

// explainProof says why the authority doesn't believe that a name is ours.
func (s *issued) explainProof(authz *xacme.AuthorizationError, way string) string {
	var said []string
	what := ""
	for _, e := range authz.Errors {
		if p := problemOf(e); p != nil {
			said = append(said, clean(p.Detail))
			what = kind(p.ProblemType)
			continue
		}
		said = append(said, clean(e.Error()))
	}
	name := authz.Identifier
	todo := fmt.Sprintf("it connects to port 443 of %s, which must lead to this server's port, without a proxy that ends TLS: check the address in the DNS, the firewall and the forwarding, or set http-address", name)
	if way == byHTTP {
		todo = fmt.Sprintf("it connects to port 80 of %s, which must lead to http-address: check the address in the DNS, the firewall and the forwarding", name)
	}
	switch what {
	case "dns":
		todo = fmt.Sprintf("check that %s is in the public DNS with the address of this server", name)
	case "caa":
		todo = fmt.Sprintf("the CAA record of %s forbids this authority: change the record in the DNS, or use another authority", name)
	}
	return fmt.Sprintf("the authority isn't convinced that %s is this server (%s): %s: %s", name, way, strings.Join(said, "; "), todo)
}

// problemOf returns what an authority has said.
func problemOf(err error) *xacme.Error {
	if p, ok := errors.AsType[*xacme.Error](err); ok {
		return p
	}
	if o, ok := errors.AsType[*xacme.OrderError](err); ok {
		return o.Problem
	}
	return nil
}

// kind is the last part of a problem's type (RFC 8555, 6.7).
func kind(problemType string) string {
	return problemType[strings.LastIndexByte(problemType, ':')+1:]
}

// retryAfter is how long an authority wants us to wait.
func retryAfter(err error) time.Duration {
	if p := problemOf(err); p != nil {
		d, _ := xacme.RateLimit(p)
		return d
	}
	return 0
}

// clean keeps a peer's text on one line and short.
func clean(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(runes) > maxDetail {
		return string(runes[:maxDetail]) + "..."
	}
	return string(runes)
}
