package receivers

import (
	"fmt"
	"net/netip"
)

// A Network is a range of IP addresses, such as 10.1.0.0/16, or one address. The zero value
// has none.
type Network struct{ netip.Prefix }

// UnmarshalText reads a network, or one address.
func (n *Network) UnmarshalText(text []byte) error {
	if a, err := netip.ParseAddr(string(text)); err == nil {
		n.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is no network: write for example 10.1.0.0/16, or 10.1.2.3 for one address", text)
	}
	n.Prefix = p.Masked()
	return nil
}
