package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig/secret"
	"gopkg.in/yaml.v3"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	type settings struct {
		Password secret.Secret
		Pointer  *secret.Secret
		Map      map[string]secret.Secret
	}
	s := secret.Secret("p4ss")
	v := settings{s, &s, map[string]secret.Secret{"a": s}}
	var out bytes.Buffer
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, v)
	}
	fmt.Fprintln(&out, s, v, errors.New(s.String()))
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	out.Write(y)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s)
	for _, bad := range []string{"p4ss", "70347373"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("printed:\n%s", out.String())
		}
	}
	if strings.Count(out.String(), "[redacted]") < 12 {
		t.Errorf("got:\n%s", out.String())
	}
	if got := fmt.Sprintf("%v|%q|%s", secret.Secret(""), secret.Secret(""), secret.Secret("")); got != `|""|` {
		t.Errorf("empty: %s", got)
	}
	if s.Reveal() != "p4ss" || !s.Equal("p4ss") || s.Equal("p4s") || s.Equal("") {
		t.Error("Reveal or Equal")
	}
	var u secret.Secret
	if err := u.UnmarshalText([]byte("x y")); err != nil || u != "x y" {
		t.Error(u.Reveal(), err)
	}
}
