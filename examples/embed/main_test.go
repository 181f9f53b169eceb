package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	inbox := t.TempDir()
	eng, err := newEngine("127.0.0.1:0", inbox, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := eng.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for class, want := range map[string]int{"I": http.StatusOK, "N": http.StatusBadRequest} {
		message := "MSH|^~\\&|A|B|C|D|20260305||ADT^A01|" + class + "|P|2.5\rPV1||" + class + "\r"
		resp, err := http.Post(eng.URL("Receive HL7"), "application/hl7-v2", strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("patient class %s: status %d", class, resp.StatusCode)
		}
	}
	if err := eng.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	got, err := filepath.Glob(filepath.Join(inbox, "*", "*"))
	if err != nil || len(got) != 1 || filepath.Base(got[0]) != "I.hl7" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(inbox, "alive")); err == nil {
		t.Error("a heartbeat before its time")
	}
}
