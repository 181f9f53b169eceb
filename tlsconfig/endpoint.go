package tlsconfig

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrEndpoint: a text is no endpoint that a certificate can be bound to.
var ErrEndpoint = errors.New("not an endpoint")

// An Endpoint is what a certificate is bound to: a port, and who is called there. It is
// written as ":8443" for the whole port, "10.0.0.5:8443" for one address of the machine,
// or "lab.example:8443" for one host name, which clients say in their handshake (SNI, RFC
// 6066, section 3); "*.lab.example:8443" is any name one level below. The zero value is
// none.
type Endpoint struct {
	// Host is an address or a name in small letters, and "" for the whole port.
	Host string
	Port uint16
}

// ParseEndpoint reads an endpoint. A port alone stands for the whole port, and so do the
// addresses 0.0.0.0, [::] and *.
func ParseEndpoint(s string) (Endpoint, error) {
	host, port := "", s
	if strings.ContainsAny(s, ":.[") {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return Endpoint{}, fmt.Errorf(`%w: %q: write for example ":8443", "10.0.0.5:8443" or "lab.example:8443"`, ErrEndpoint, s)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' {
		return Endpoint{}, fmt.Errorf("%w: %q is no port: ports go from 1 to 65535", ErrEndpoint, port)
	}
	e := Endpoint{Port: uint16(n)}
	if host == "" || host == "*" {
		return e, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip = ip.Unmap(); !ip.IsUnspecified() {
			e.Host = ip.String()
		}
		return e, nil
	}
	e.Host = strings.ToLower(strings.TrimSuffix(host, "."))
	return e, validHost(e.Host)
}

// validHost checks a host name (RFC 1123, section 2.1), which may begin with "*.".
func validHost(host string) error {
	name := strings.TrimPrefix(host, "*.")
	if len(name) > 253 {
		return fmt.Errorf("%w: the name has %d letters, and host names have at most 253", ErrEndpoint, len(name))
	}
	if top := name[strings.LastIndexByte(name, '.')+1:]; top != "" && strings.Trim(top, "0123456789") == "" {
		return fmt.Errorf("%w: %q is neither an address nor a host name", ErrEndpoint, host)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("%w: %q is no host name", ErrEndpoint, host)
		}
		for _, c := range label {
			switch {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			case c >= 0x80:
				return fmt.Errorf("%w: %q: write the name in its ASCII form, which begins with xn--", ErrEndpoint, host)
			default:
				return fmt.Errorf("%w: %q has a %q in it, which no host name has", ErrEndpoint, host, c)
			}
		}
	}
	return nil
}

// String returns the endpoint as [ParseEndpoint] reads it, and "" for none.
func (e Endpoint) String() string {
	if e.Port == 0 {
		return ""
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// MarshalText returns the endpoint as String does.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads an endpoint with [ParseEndpoint].
func (e *Endpoint) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEndpoint(string(text))
	return err
}

// isName reports whether the endpoint is for a host name.
func (e Endpoint) isName() bool {
	_, err := netip.ParseAddr(e.Host)
	return e.Host != "" && err != nil
}

// rank says how well the endpoint fits a client that calls name at the address local, the
// higher the better, and 0 when it doesn't.
func (e Endpoint) rank(name string, local netip.Addr) int {
	switch {
	case e.Host == "":
		return 1
	case !e.isName():
		if ip, err := netip.ParseAddr(e.Host); err == nil && ip == local {
			return 2
		}
	case e.Host == name:
		return 4
	case strings.HasPrefix(e.Host, "*."):
		if _, parent, ok := strings.Cut(name, "."); ok && parent == e.Host[2:] {
			return 3
		}
	}
	return 0
}
