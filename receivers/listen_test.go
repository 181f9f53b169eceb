package receivers_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ladlehq/ladle/receivers"
)

func TestExplainListen(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		syscall.EADDRINUSE:       "port 443 is in use by another program",
		syscall.EACCES:           "this account may not listen on port 443: ",
		os.ErrPermission:         "this account may not listen on port 443: ",
		syscall.EADDRNOTAVAIL:    "this machine doesn't have the address of 10.0.0.5:443: write :443",
		errors.New("some fault"): "can't listen on 10.0.0.5:443: ",
	} {
		wrapped := &net.OpError{Op: "listen", Err: fmt.Errorf("bind: %w", err)}
		got := receivers.ExplainListen("10.0.0.5:443", wrapped)
		if !strings.HasPrefix(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%v: got %v", err, got)
		}
	}
	for goos, want := range map[string]string{"linux": "setcap", "windows": "excludedportrange", "darwin": "forward"} {
		if got := receivers.PrivilegedRemedy(goos); !strings.Contains(got, want) {
			t.Errorf("%s: %s", goos, got)
		}
	}
}
