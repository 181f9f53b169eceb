//go:build unix

package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The first signal lets a message finish, the second one ends at once with status 1.
func TestRunSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			partner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer partner.Close()
			dir := t.TempDir()
			program, file := filepath.Join(dir, "ladle"), filepath.Join(dir, "w.yaml")
			if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			workflow := "workflows:\n- name: w\n  receiver: {http: {address: \"127.0.0.1:0\"}}\n  activities:\n  - forward-to-sender: {http: {url: \"http://" + partner.Addr().String() + "\"}}\n"
			if err := os.WriteFile(file, []byte(workflow), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "run", file)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
			defer watchdog.Stop()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			sent := make(chan error, 1)
			go func() {
				resp, err := http.Post(strings.TrimSpace(strings.TrimPrefix(line, "w: ")), "application/hl7-v2", strings.NewReader(string(oru)))
				if err == nil {
					resp.Body.Close()
				}
				sent <- err
			}()
			c, err := partner.Accept() // and never answers
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			for s := bufio.NewScanner(stderr); s.Scan() && !strings.Contains(s.Text(), "press Ctrl-C again"); {
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
				t.Errorf("ended with %v", err)
			}
			if err := <-sent; err == nil {
				t.Error("the message that was cut short was answered")
			}
		})
	}
}
