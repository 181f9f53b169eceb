package engine

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// A Template is text with places that each message fills: `${MSH-10}.hl7`. Make one
// with [CompileTemplate]; the zero value renders as "". It is safe for concurrent
// use.
//
// A place is a path of the workflow's format (`${PID-5.1}`) or a variable of the
// engine: `${ReceivedDate}`, `${MessageID}`, `${WorkflowName}`, `${PeerAddress}`, and of
// the client certificate, each "" where there is none, `${PeerName}` (its common name, or
// else its first host name), `${PeerSubject}` and `${PeerThumbprint}` (SHA-256).
// ReceivedDate takes a pattern behind a colon, in the letters known from Java and
// .NET: `${ReceivedDate:yyyyMMdd}`; without one it is yyyyMMddHHmmss. `$${` stands
// for `${`.
type Template struct {
	parts []templatePart
}

// A templatePart is literal text, or what a message gives.
type templatePart struct {
	text  string
	value func(m *Message) (string, error)
}

// CompileTemplate makes a Template of text for the place that env describes, or
// says what is wrong with it.
func CompileTemplate(env Env, text string) (Template, error) {
	var t Template
	var errs []error
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, templatePart{text: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			literal.WriteString(rest)
			break
		}
		literal.WriteString(rest[:i])
		rest = rest[i:]
		if strings.HasPrefix(rest, "$${") {
			literal.WriteString("${")
			rest = rest[len("$${"):]
			continue
		}
		if !strings.HasPrefix(rest, "${") {
			literal.WriteByte('$')
			rest = rest[1:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			errs = append(errs, fmt.Errorf("%s has no closing brace", rest))
			break
		}
		value, err := compilePlace(env, rest[2:end])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rest[:end+1], err))
		}
		rest = rest[end+1:]
		flush()
		t.parts = append(t.parts, templatePart{value: value})
	}
	flush()
	if err := errors.Join(errs...); err != nil {
		return Template{}, err
	}
	return t, nil
}

const defaultDatePattern = "yyyyMMddHHmmss"

// templateVariables are the engine's own, each with what it gives when no pattern
// is written.
var templateVariables = map[string]func(env Env, m *Message) string{
	"MessageID":    func(_ Env, m *Message) string { return m.ID.String() },
	"WorkflowName": func(env Env, _ *Message) string { return env.Workflow },
	"PeerAddress": func(_ Env, m *Message) string {
		if !m.Origin.Peer.IsValid() {
			return ""
		}
		return m.Origin.Peer.Addr().Unmap().String()
	},
	"PeerName": ofCertificate(func(c *x509.Certificate) string {
		if c.Subject.CommonName == "" && len(c.DNSNames) > 0 {
			return c.DNSNames[0]
		}
		return c.Subject.CommonName
	}),
	"PeerSubject":    ofCertificate(func(c *x509.Certificate) string { return c.Subject.String() }),
	"PeerThumbprint": ofCertificate(func(c *x509.Certificate) string { return fmt.Sprintf("%x", sha256.Sum256(c.Raw)) }),
	"ReceivedDate":   nil, // takes a pattern
}

// ofCertificate gives what f says of the peer's certificate.
func ofCertificate(f func(*x509.Certificate) string) func(Env, *Message) string {
	return func(_ Env, m *Message) string {
		if m.Origin.Certificate == nil {
			return ""
		}
		return f(m.Origin.Certificate)
	}
}

func compilePlace(env Env, place string) (func(*Message) (string, error), error) {
	name, pattern, hasPattern := strings.Cut(place, ":")
	if name == "" {
		return nil, errors.New("name a path or a variable between the braces")
	}
	if name == "ReceivedDate" {
		if !hasPattern {
			pattern = defaultDatePattern
		}
		p, err := parseDatePattern(pattern)
		if err != nil {
			return nil, err
		}
		return func(m *Message) (string, error) { return p.format(m.Received), nil }, nil
	}
	if hasPattern && (name == "env" || name == "file") {
		return nil, fmt.Errorf("${%s:...} is read when a workflow file is loaded, and not in a program", name)
	}
	if near := suggest(name, templateVariables); near != "" && hasPattern && templateVariables[name] == nil {
		return nil, fmt.Errorf("no variable is called %s%s", name, near)
	}
	if hasPattern {
		return nil, fmt.Errorf("%s takes no pattern: only ReceivedDate does", name)
	}
	if v, ok := templateVariables[name]; ok {
		return func(m *Message) (string, error) { return v(env, m), nil }, nil
	}
	getter, err := env.Format.Compile(name)
	if err != nil {
		if near := suggest(name, templateVariables); near != "" {
			return nil, fmt.Errorf("no variable is called that%s", near)
		}
		return nil, err
	}
	return getter.Value, nil
}

// Render fills the template with the values of m. Each value goes through clean,
// unless clean is nil; the template's own text doesn't.
func (t Template) Render(m *Message, clean func(string) string) (string, error) {
	if len(t.parts) == 1 && t.parts[0].value == nil {
		return t.parts[0].text, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.value(m)
		if err != nil {
			return "", err
		}
		if clean != nil {
			v = clean(v)
		}
		b.WriteString(v)
	}
	return b.String(), nil
}
