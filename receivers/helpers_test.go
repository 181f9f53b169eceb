package receivers_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

// TestMain lets this binary be the receiver of BenchmarkMLLPIdle, too: the other ends of the
// connections are in another process.
func TestMain(m *testing.M) {
	if os.Getenv("LADLE_TEST_RECEIVER") != "" {
		serveUntilTold()
		return
	}
	goleak.VerifyTestMain(m)
}

// startEngine runs workflows until the test ends.
func startEngine(t testing.TB, log *zap.Logger, ws ...engine.Workflow) *engine.Engine {
	t.Helper()
	e, err := engine.New(ws, engine.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// certificateFor makes a certificate for names, and the file that has it.
func certificateFor(t testing.TB, names ...string) (tlsconfig.Certificate, *x509.Certificate) {
	t.Helper()
	pair, err := tlsconfig.SelfSigned{FriendlyName: names[0], Names: names}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	c := tlsconfig.Certificate{File: filepath.Join(t.TempDir(), "server.pfx"), Password: "secret"}
	if err := tlsconfig.WriteFile(c.File, pfx); err != nil {
		t.Fatal(err)
	}
	return c, pair.Certificate
}

// writePFX makes a certificate for localhost and returns its file, whose password is
// "secret".
func writePFX(t *testing.T) string {
	t.Helper()
	c, _ := certificateFor(t, "localhost", "127.0.0.1")
	return c.File
}
