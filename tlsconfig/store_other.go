//go:build !windows

package tlsconfig

import "fmt"

func readStore(Location, string, func([]storeCertificate) error) error {
	return fmt.Errorf("%w: this system has no Windows certificate store", ErrUnsupported)
}
