package receivers_test

import (
	"path/filepath"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

// writePFX makes a certificate for localhost and returns its file, whose password is
// "secret".
func writePFX(t *testing.T) string {
	t.Helper()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "test", Names: []string{"localhost", "127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.pfx")
	if err := tlsconfig.WriteFile(file, pfx); err != nil {
		t.Fatal(err)
	}
	return file
}
