package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// Programs that others have written shake hands with a server, and refuse it when they
// should.
func TestIndependentClients(t *testing.T) {
	t.Parallel()
	ca, other := issue(t, "authority", nil, authority), issue(t, "other authority", nil, authority)
	inter := issue(t, "intermediate", &ca, authority)
	leaf := issue(t, "server", &inter, nil)
	source := openServer(t, tlsconfig.Certificate{File: file(t, leaf.certPEM(), leaf.keyPEM(t), inter.certPEM())})
	config := source.Config()
	config.NextProtos = nil
	address := serving(t, func(c net.Conn) {
		s := tls.Server(c, config)
		defer s.Close()
		if n, err := s.Read(make([]byte, 1000)); err == nil && n > 0 {
			io.WriteString(s, "HTTP/1.0 200 OK\r\n\r\n")
		}
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	known, unknown := file(t, ca.certPEM()), file(t, other.certPEM())
	clients := map[string]func(ca, name, version string) []string{
		"openssl": func(ca, name, version string) []string {
			return []string{"s_client", "-connect", address, "-CAfile", ca, "-verify_return_error", "-verify_hostname", name, "-servername", name, map[string]string{"1.2": "-tls1_2", "1.3": "-tls1_3"}[version]}
		},
		"curl": func(ca, name, version string) []string {
			return []string{"--silent", "--show-error", "--max-time", "5", "--cacert", ca, "--resolve", name + ":" + port + ":127.0.0.1", "--tlsv" + version, "--tls-max", version, "https://" + name + ":" + port + "/"}
		},
		"gnutls-cli": func(ca, name, version string) []string {
			return []string{"--x509cafile", ca, "--sni-hostname", name, "--verify-hostname", name, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version, "--port", port, "127.0.0.1"}
		},
	}
	for program, args := range clients {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(program)
			if err != nil {
				t.Skipf("%s is not installed", program)
			}
			run := func(ca, name, version string) (string, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, path, args(ca, name, version)...)
				cmd.Stdin = strings.NewReader("\n")
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			for _, version := range []string{"1.2", "1.3"} {
				if out, err := run(known, "localhost", version); err != nil {
					t.Errorf("TLS %s: %v\n%s", version, err, out)
				}
			}
			if out, err := run(unknown, "localhost", "1.3"); err == nil {
				t.Errorf("an unknown authority is believed\n%s", out)
			}
			if out, err := run(known, "other.example", "1.3"); err == nil {
				t.Errorf("another name is believed\n%s", out)
			}
		})
	}
}
