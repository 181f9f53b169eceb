package activities_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// partner serves handler and returns its address.
func partner(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// sender returns s prepared and opened for url.
func sender(t *testing.T, s *activities.HTTPSender) *activities.HTTPSender {
	t.Helper()
	if err := s.Prepare(env()); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ack(code, controlID string) string {
	return "MSH|^~\\&|C|D|A|B|20260305140709||ACK^A01^ACK|R1|P|2.5\rMSA|" + code + "|" + controlID + "\r"
}

func TestHTTPSenderReadsTheAcknowledgement(t *testing.T) {
	t.Parallel()
	hl7, status, none := activities.AcknowledgementHL7, activities.AcknowledgementStatus, activities.AcknowledgementNone
	for name, c := range map[string]struct {
		mode        activities.Acknowledgement
		status      int
		body        string
		want        error
		class       engine.Class
		unconfirmed bool
	}{
		"accepted":                     {hl7, 200, ack("AA", "17"), nil, engine.Accepted, false},
		"error, with 500":              {hl7, 500, ack("AE", "17"), engine.ErrPartnerError, engine.Failed, false},
		"error, with 200":              {hl7, 200, ack("AE", "17"), engine.ErrPartnerError, engine.Failed, false},
		"rejected, with 400":           {hl7, 400, ack("AR", "17"), engine.ErrPartnerRejected, engine.Rejected, false},
		"yes and no":                   {hl7, 500, ack("AA", "17"), engine.ErrPartnerStatus, engine.Unavailable, false},
		"another message's":            {hl7, 200, ack("AA", "16"), engine.ErrWrongID, engine.Unavailable, false},
		"a longer id":                  {hl7, 200, ack("AA", "170"), engine.ErrWrongID, engine.Unavailable, false},
		"no id":                        {hl7, 200, ack("AA", ""), engine.ErrWrongID, engine.Unavailable, false},
		"no code":                      {hl7, 200, ack("", "17"), engine.ErrNoAcknowledgement, engine.Unavailable, false},
		"no MSA":                       {hl7, 200, "MSH|^~\\&|C|D|A|B|20260305140709||ACK|R1|P|2.5\r", engine.ErrNoAcknowledgement, engine.Unavailable, false},
		"no HL7":                       {hl7, 200, "OK", engine.ErrNoAcknowledgement, engine.Unavailable, false},
		"nothing":                      {hl7, 200, "", engine.ErrNoAcknowledgement, engine.Unavailable, false},
		"no HL7, with 502":             {hl7, 502, "<html>", engine.ErrPartnerStatus, engine.Unavailable, false},
		"status accepts":               {status, 204, "", nil, engine.Accepted, false},
		"status refuses":               {status, 503, "", engine.ErrPartnerStatus, engine.Unavailable, false},
		"none":                         {none, 200, "whatever", nil, engine.Accepted, true},
		"none, but the status refuses": {none, 500, "", engine.ErrPartnerStatus, engine.Unavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan *http.Request, 1)
			var sent []byte
			address := partner(t, func(w http.ResponseWriter, r *http.Request) {
				sent, _ = io.ReadAll(r.Body)
				got <- r
				w.WriteHeader(c.status)
				if c.status != 204 {
					io.WriteString(w, c.body)
				}
			})
			s := sender(t, &activities.HTTPSender{URL: address + "/hl7?x=1", Acknowledgement: c.mode})
			m := message("17")
			reply, err := s.Send(t.Context(), m)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if reply.Class != c.class || string(reply.Body) != c.body || reply.Unconfirmed != c.unconfirmed {
				t.Errorf("got %+v", reply)
			}
			r := <-got
			if r.Method != http.MethodPost || r.URL.String() != "/hl7?x=1" || r.Header.Get("Content-Type") != "application/hl7-v2" || string(sent) != string(m.Body()) {
				t.Errorf("sent %s %s %v %q", r.Method, r.URL, r.Header, sent)
			}
			if err != nil && strings.Contains(err.Error(), "4711") {
				t.Errorf("content in an error: %v", err)
			}
		})
	}
}

// A response carries one acknowledgement: what each message asks for, and what the setting
// makes of it.
func TestHTTPSenderAcknowledgementModes(t *testing.T) {
	t.Parallel()
	asked, app, acc := activities.AcknowledgementHL7, activities.AcknowledgementApplication, activities.AcknowledgementAccept
	for name, c := range map[string]struct {
		mode                activities.Acknowledgement
		accept, application string
		status              int
		code                string // "" answers with an empty body
		want                error
		unconfirmed         bool
	}{
		"original, AA":             {asked, "", "", 200, "AA", nil, false},
		"original, CA":             {asked, "", "", 200, "CA", engine.ErrNoAcknowledgement, false},
		"both, CA":                 {asked, "AL", "AL", 200, "CA", nil, false},
		"both, AA":                 {asked, "AL", "AL", 200, "AA", nil, false},
		"both, CE":                 {asked, "AL", "AL", 500, "CE", engine.ErrPartnerError, false},
		"both, nothing":            {asked, "AL", "AL", 200, "", engine.ErrNoAcknowledgement, false},
		"accept, CA":               {asked, "AL", "NE", 200, "CA", nil, false},
		"application, CA":          {asked, "NE", "AL", 200, "CA", engine.ErrNoAcknowledgement, false},
		"errors alone, nothing":    {asked, "ER", "NE", 202, "", nil, false},
		"errors alone, CR":         {asked, "ER", "NE", 400, "CR", engine.ErrPartnerRejected, false},
		"errors alone, 500":        {asked, "ER", "NE", 500, "", engine.ErrPartnerStatus, false},
		"none, nothing":            {asked, "NE", "NE", 204, "", nil, true},
		"none, AE all the same":    {asked, "NE", "NE", 200, "AE", engine.ErrPartnerError, false},
		"forced: application, CA":  {app, "AL", "NE", 200, "CA", engine.ErrNoAcknowledgement, false},
		"forced: accept, CA":       {acc, "", "", 200, "CA", nil, false},
		"forced: accept, AA":       {acc, "", "", 200, "AA", nil, false},
		"forced: accept, nothing":  {acc, "NE", "NE", 200, "", engine.ErrNoAcknowledgement, false},
		"forced: accept, with 500": {acc, "", "", 500, "CA", engine.ErrPartnerStatus, false},
	} {
		address := partner(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			if c.code != "" {
				io.WriteString(w, ack(c.code, "17"))
			}
		})
		reply, err := sender(t, &activities.HTTPSender{URL: address, Acknowledgement: c.mode}).Send(t.Context(), asking("17", c.accept, c.application))
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if (c.want == nil) != reply.Class.Positive() || reply.Unconfirmed != c.unconfirmed {
			t.Errorf("%s: got %+v", name, reply)
		}
	}
}

// asking returns a message that asks for acknowledgements by MSH-15 and MSH-16.
func asking(controlID, accept, application string) *engine.Message {
	return engine.NewMessage([]byte("MSH|^~\\&|A|B|C|D|20260305140709||ADT^A01|" + controlID + "|P|2.5|||" + accept + "|" + application + "\rPID|1||4711\r"))
}

func TestHTTPSenderKeepsCharsetAndHeaders(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	address := partner(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		io.WriteString(w, ack("AA", "17"))
	})
	send := func(s *activities.HTTPSender) http.Header {
		s.URL = address
		m := message("17")
		m.ContentType = "text/plain; charset=iso-8859-1"
		if _, err := sender(t, s).Send(t.Context(), m); err != nil {
			t.Error(err)
		}
		return (<-got).Header
	}
	h := send(&activities.HTTPSender{Headers: map[string]tlsconfig.Secret{"X-Api-Key": "k"}, Basic: &activities.BasicAuth{User: "u", Password: "p"}})
	if h.Get("Content-Type") != "application/hl7-v2; charset=iso-8859-1" || h.Get("X-Api-Key") != "k" || h.Get("Authorization") != "Basic dTpw" {
		t.Errorf("got %v", h)
	}
	h = send(&activities.HTTPSender{ContentType: "x-application/hl7-v2+er7; charset=utf-8", Bearer: "t0k"})
	if h.Get("Content-Type") != "x-application/hl7-v2+er7; charset=utf-8" || h.Get("Authorization") != "Bearer t0k" {
		t.Errorf("got %v", h)
	}
}

// What stands between sender and partner: each fault has its own error.
func TestHTTPSenderFaults(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	held := make(chan struct{})
	silent := partner(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-held
	})
	t.Cleanup(func() { close(held) }) // before the partner is closed
	cuts := partner(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		c.Close()
	})
	cutsInside := partner(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, ack("AA", "17"))
	})
	large := partner(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, ack("AA", "17")+strings.Repeat("x", 2000))
	})
	busy := partner(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
	})
	for name, c := range map[string]struct {
		s    *activities.HTTPSender
		want error
	}{
		"nobody listens":  {&activities.HTTPSender{URL: "http://" + closed.Addr().String()}, engine.ErrUnreachable},
		"silence":         {&activities.HTTPSender{URL: silent, Timeout: 50 * time.Millisecond}, engine.ErrTimeout},
		"cut before":      {&activities.HTTPSender{URL: cuts}, engine.ErrNoAcknowledgement},
		"cut inside":      {&activities.HTTPSender{URL: cutsInside}, engine.ErrNoAcknowledgement},
		"too large reply": {&activities.HTTPSender{URL: large, ReplyLimit: 1000}, engine.ErrNoAcknowledgement},
		"no TLS there":    {&activities.HTTPSender{URL: strings.Replace(busy, "http:", "https:", 1)}, engine.ErrUnreachable},
		"busy":            {&activities.HTTPSender{URL: busy}, engine.ErrPartnerStatus},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := sender(t, c.s).Send(t.Context(), message("17"))
			if !errors.Is(err, c.want) || reply.Class.Positive() {
				t.Errorf("got %v %v, want %v", reply.Class, err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(engine.ErrStopped)
	if _, err := sender(t, &activities.HTTPSender{URL: silent}).Send(ctx, message("17")); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
}

func TestHTTPSenderRedirects(t *testing.T) {
	t.Parallel()
	elsewhere := partner(t, func(http.ResponseWriter, *http.Request) { t.Error("the message went elsewhere") })
	address := partner(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/there":
			io.WriteString(w, ack("AA", "17"))
		case "/elsewhere":
			http.Redirect(w, r, elsewhere, http.StatusPermanentRedirect)
		case "/get":
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	})
	for path, c := range map[string]struct {
		follow bool
		ok     bool
	}{"/here": {true, true}, "/here?": {false, false}, "/elsewhere": {true, false}, "/get": {true, false}} {
		_, err := sender(t, &activities.HTTPSender{URL: address + path, FollowRedirects: c.follow}).Send(t.Context(), message("17"))
		if c.ok != (err == nil) || err != nil && !errors.Is(err, engine.ErrPartnerStatus) {
			t.Errorf("%s, follow %v: %v", path, c.follow, err)
		}
	}
}

func TestHTTPSenderProxy(t *testing.T) {
	t.Parallel()
	seen := make(chan *url.URL, 1)
	proxy := partner(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL
		io.WriteString(w, ack("AA", "17"))
	})
	s := sender(t, &activities.HTTPSender{URL: "http://lab.invalid/hl7", Proxy: proxy})
	if _, err := s.Send(t.Context(), message("17")); err != nil {
		t.Fatal(err)
	}
	if u := <-seen; u.Host != "lab.invalid" {
		t.Errorf("the proxy saw %v", u)
	}
}

func TestHTTPSenderConnections(t *testing.T) {
	t.Parallel()
	for _, each := range []bool{false, true} {
		peers := make(map[string]bool)
		address := partner(t, func(w http.ResponseWriter, r *http.Request) {
			peers[r.RemoteAddr] = true
			io.WriteString(w, ack("AA", "17"))
		})
		s := sender(t, &activities.HTTPSender{URL: address, CloseAfterEach: each})
		for range 3 {
			if _, err := s.Send(t.Context(), message("17")); err != nil {
				t.Fatal(err)
			}
		}
		if want := map[bool]int{false: 1, true: 3}[each]; len(peers) != want {
			t.Errorf("close after each %v: %d connections", each, len(peers))
		}
	}
}

func TestHTTPSenderMistakes(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*activities.HTTPSender{
		"url: missing":                        {},
		"is no address of a partner":          {URL: "lab.example:8443"},
		"url: can't be read":                  {URL: "http://[::1"},
		"don't belong into the URL":           {URL: "https://u:secret@lab.example"},
		"tls: the url begins with http":       {URL: "http://lab.example", TLS: &tlsconfig.Client{}},
		"headers: \"a b\" is no name":         {URL: "http://a", Headers: map[string]tlsconfig.Secret{"a b": "x"}},
		"headers.A: the value has characters": {URL: "http://a", Headers: map[string]tlsconfig.Secret{"A": "x\r\ny"}},
		"headers.Content-type: this header":   {URL: "http://a", Headers: map[string]tlsconfig.Secret{"Content-type": "x"}},
		"content-type: \"x\" is no media":     {URL: "http://a", ContentType: "x"},
		"timeout: a limit":                    {URL: "http://a", Timeout: -1},
		"reply-limit: a limit":                {URL: "http://a", ReplyLimit: -1},
		"max-connections: a limit":            {URL: "http://a", MaxConnections: -1},
		"bearer: basic is set":                {URL: "http://a", Basic: &activities.BasicAuth{User: "u"}, Bearer: "x"},
		"bearer: a token has no white":        {URL: "http://a", Bearer: "a b"},
		"basic.user: missing":                 {URL: "http://a", Basic: &activities.BasicAuth{}},
		"proxy: can't be read":                {URL: "http://a", Proxy: "proxy"},
	} {
		err := s.Prepare(env())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Trust that believes everybody is named in the log at every start.
func TestHTTPSenderWarns(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	e := env()
	e.Logger = zap.New(core)
	s := &activities.HTTPSender{URL: "https://lab.example", TLS: &tlsconfig.Client{Trust: tlsconfig.Trust{Insecure: true}}}
	plain := &activities.HTTPSender{URL: "http://lab.example", Bearer: "t0ken"}
	for range 2 {
		for _, s := range []*activities.HTTPSender{s, plain} {
			if err := errors.Join(s.Prepare(e), s.Open(t.Context()), s.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, m := logs.FilterMessageSnippet("INSECURE").Len(), logs.FilterMessageSnippet("clear text").Len(); n != 2 || m != 2 {
		t.Errorf("%d and %d warnings", n, m)
	}
}

// What the partner has replied is kept on the message, also when it refuses.
func TestForwardToSenderKeepsTheReply(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"AA": nil, "AE": engine.ErrPartnerError} {
		address := partner(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, ack(code, "17")) })
		f := &activities.ForwardToSender{Sender: &activities.HTTPSender{URL: address}}
		if err := f.Prepare(env()); err != nil {
			t.Fatal(err)
		}
		if err := f.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := message("17")
		if err := f.Do(t.Context(), m); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
		if r, ok := m.Reply(""); !ok || string(r.Body) != ack(code, "17") {
			t.Errorf("%s: kept %q, %v", code, r.Body, ok)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	core, logs := observer.New(zap.DebugLevel)
	e := env()
	e.Logger = zap.New(core)
	address := partner(t, func(http.ResponseWriter, *http.Request) {})
	f := &activities.ForwardToSender{Sender: &activities.HTTPSender{URL: address, Acknowledgement: activities.AcknowledgementNone}}
	if err := errors.Join(f.Prepare(e), f.Open(t.Context()), f.Do(t.Context(), message("17")), f.Close()); err != nil || logs.FilterMessage("sent, unconfirmed").Len() != 1 {
		t.Errorf("unconfirmed: %v, %v", err, logs.All())
	}
	if err := new(activities.ForwardToSender).Prepare(env()); err == nil {
		t.Error("no sender is no mistake")
	}
}
