package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Limits of the listener for HTTP-01, which is open to the internet.
const (
	proofTimeout     = 10 * time.Second
	proofHeader      = 16 << 10
	proofConnections = 256
)

// listen opens the listener for HTTP-01.
func (s *issued) listen(ctx context.Context) error {
	l := s.settings.HTTPListener
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", s.settings.HTTPAddress); err != nil {
			return fmt.Errorf("can't listen for the authority: %w: another program or workflow may have the port (leave http-address away where port 443 leads here), or this account may not take ports under 1024", err)
		}
	}
	var open atomic.Int64
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.prove),
		ReadHeaderTimeout: proofTimeout,
		ReadTimeout:       proofTimeout,
		WriteTimeout:      proofTimeout,
		IdleTimeout:       proofTimeout,
		MaxHeaderBytes:    proofHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // scanners make noise
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if open.Add(1) > proofConnections {
					c.Close()
				}
			case http.StateClosed, http.StateHijacked:
				open.Add(-1)
			}
		},
	}
	s.http.SetKeepAlivesEnabled(false)
	s.listenerEnded = make(chan error, 1)
	s.serving.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.listenerEnded <- err
		}
	})
	return nil
}

// prove answers an authority that asks for a proof (RFC 8555, 8.3), and nobody else.
func (s *issued) prove(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	s.mu.Lock()
	answer := s.tokens[token]
	s.mu.Unlock()
	if !ok || answer == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, answer)
}
