//go:build !windows

package tlsconfig

import (
	"crypto/tls"
	"fmt"
)

var errNoStore = fmt.Errorf("%w: this system has no Windows certificate store", ErrUnsupported)

func readStore(Location, string, func([]storeCertificate) error) error { return errNoStore }

func importPair(Location, string, tls.Certificate) error { return errNoStore }

func removeFromStore(Location, string, Thumbprint) (bool, error) { return false, errNoStore }
