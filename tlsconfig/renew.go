package tlsconfig

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A Notice is what a Source that is watched has to say.
type Notice struct {
	Kind NoticeKind
	// Certificate is the new one, the one that stays, or the one that ends. It is nil where
	// there is none to stay.
	Certificate *x509.Certificate
	// Err is why a renewal failed.
	Err error
	// Endpoint is the one of the binding table that it is about, if it is about one.
	Endpoint Endpoint
	// Days is how many days are left of one that ends; 0 or less when it has ended.
	Days int
	// Until is how long an OCSP response is in force.
	Until time.Time
}

// A NoticeKind says what a Notice is about.
type NoticeKind int

const (
	// Renewed: new connections see another certificate from now on.
	Renewed NoticeKind = iota
	// NotRenewed: a file or the store has changed, and what is there now can't be used, or an
	// issuer couldn't get what is needed. What was shown before still is.
	NotRenewed
	// Ends: a certificate ends in 30, 14, 7, 3 or 1 days, or has ended. That of an issuer is
	// told of when it has ended, since it is renewed without anybody's help.
	Ends
	// Bound and Unbound: a binding table has another row for the server, or one less. See
	// [Source.Waiting].
	Bound
	Unbound
	// Stapled: new connections see another OCSP response from now on.
	Stapled
	// NotStapled: an OCSP response can't be got or used, or has lapsed. What was shown before
	// still is, as long as it is in force.
	NotStapled
)

// String returns the notice as a sentence, without its error.
func (n Notice) String() string {
	switch {
	case n.Certificate == nil && n.Endpoint.Port != 0:
		return fmt.Sprintf("the certificate that is bound to %s can't be used", n.Endpoint)
	case n.Certificate == nil:
		return "the certificates can't be renewed, and what there is stays"
	}
	name, day := issuedTo(n.Certificate), n.Certificate.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case n.Kind == Bound:
		return fmt.Sprintf("bound: %s now has %s", n.Endpoint, name)
	case n.Kind == Unbound:
		return fmt.Sprintf("unbound: %s is free of %s", n.Endpoint, name)
	case n.Kind == Stapled:
		return fmt.Sprintf("the OCSP response was renewed: of %s, until %s", name, minute(n.Until))
	case n.Kind == NotStapled:
		return fmt.Sprintf("there is no new OCSP response to show: of %s", name)
	case n.Kind == Renewed:
		return fmt.Sprintf("the certificate was renewed: %s, until %s", name, day)
	case n.Kind == NotRenewed:
		return fmt.Sprintf("the certificate was not renewed, and the old one stays: %s, until %s", name, day)
	case n.Days <= 0:
		return fmt.Sprintf("the certificate has expired: %s, on %s: partners refuse it", name, day)
	}
	return fmt.Sprintf("the certificate ends in %d days: %s, on %s: renew it", n.Days, name, day)
}

// issuedTo is whom a certificate is for: its subject, or its names where authorities leave
// that empty.
func issuedTo(c *x509.Certificate) string {
	if subject := c.Subject.String(); subject != "" {
		return subject
	}
	return certificateNames(c)
}

const (
	// pollFiles is how often files are looked at that no notification comes of, as from
	// other computers' disks.
	pollFiles = 10 * time.Second
	// pollStore is how often the Windows store is looked at.
	pollStore = time.Minute
	// settle is how long a file must stay as it is before it is read: it may be written in
	// pieces, and the key after the certificate.
	settle = 200 * time.Millisecond
)

// Renew reads the certificates anew, and reports whether any has changed. New connections
// see what was read, and open ones live on. After an error everything stays as it was.
func (s *Source) Renew() (bool, error) {
	if s.bound != nil {
		notices, err := s.followTable()
		changed := false
		for _, n := range notices {
			changed = changed || n.Kind != NotRenewed
			err = errors.Join(err, n.Err)
		}
		return changed, err
	}
	all, err := loadAll(s.settings)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.certificates.Load()
	if slices.EqualFunc(all, old, sameChain) || s.closed {
		for _, c := range all {
			err = errors.Join(err, release(c))
		}
		return false, err
	}
	// A handshake may be at work with the old keys.
	s.retired = append(s.retired, old...)
	s.certificates.Store(&all)
	s.generation.Add(1)
	return true, nil
}

// loadAll loads every certificate or none.
func loadAll(settings []Certificate) ([]tls.Certificate, error) {
	var all []tls.Certificate
	var errs []error
	for i, c := range settings {
		switch {
		case c.Bound != "": // see compileBound
			continue
		case c.Issuer != nil:
			errs = append(errs, inField(fmt.Sprintf("certificate[%d]", i), c.validateIssuer()))
			continue
		}
		pair, err := c.Load()
		if err != nil {
			errs = append(errs, inField(fmt.Sprintf("certificate[%d]", i), err))
			continue
		}
		all = append(all, pair)
	}
	err := errors.Join(errs...)
	if err != nil {
		for _, c := range all {
			err = errors.Join(err, release(c))
		}
		all = nil
	}
	return all, err
}

// Watch looks after the certificates until the Source is closed: when a file or the
// Windows store has another one, that is read, and shown to new connections if it can be
// used. It looks for that at once, too, for what has changed since the Source was opened.
// OCSP responses are looked after in the same way. notify is told of it, and of
// certificates that end, one notice after another; it must not close the Source. To call
// Watch a second time does nothing.
func (s *Source) Watch(notify func(Notice)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stop != nil || len(s.settings) == 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var one sync.Mutex
	inTurn := func(n Notice) {
		one.Lock()
		defer one.Unlock()
		notify(n)
	}
	s.watching.Go(func() { s.watch(ctx, inTurn) })
	if len(s.staples.all) > 0 {
		s.watching.Go(func() { s.watchStaples(ctx, inTurn) })
	}
	for _, i := range s.issued {
		s.watching.Go(func() { i.Watch(ctx, inTurn) })
	}
}

func (s *Source) watch(ctx context.Context, notify func(Notice)) {
	files, fromStore := s.watched()
	var events chan fsnotify.Event
	var faults chan error
	look := func([]string) {}
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close()
		look = func(files []string) {
			for _, f := range files {
				// The folder, because most renewals put a new file in place of the old one. Where
				// that can't be watched, looking at the files will do.
				_ = w.Add(filepath.Dir(f))
			}
		}
		events, faults = w.Events, w.Errors
	}
	look(files)
	poll := time.NewTicker(pollFiles)
	defer poll.Stop()
	// The first look needs no change: there may have been one since the files were opened.
	settled := time.NewTimer(settle)
	defer settled.Stop()
	s.ending(time.Now()) // what is known already
	seen, lastStore := stamps(files), time.Now()
	changed, table := seen, s.tableStamp()
	renew := func() {
		s.renew(notify)
		if s.bound != nil { // there may be other files now
			files, fromStore = s.watched()
			look(files)
			seen = stamps(files)
			changed = seen
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
		case <-faults: // such as too many events at once: look
		case <-poll.C:
			for _, n := range s.ending(time.Now()) {
				notify(n)
			}
			if fromStore && time.Since(lastStore) >= pollStore {
				lastStore = time.Now()
				renew()
			}
		case <-settled.C:
			if now := stamps(files); now != changed {
				changed = now
				settled.Reset(settle)
				continue
			}
			seen = changed
			renew()
			continue
		}
		// A table is whole at every time, and needn't settle.
		if now := s.tableStamp(); now != table {
			table = now
			renew()
			settled.Reset(settle) // for what changes in the meantime
		}
		if now := stamps(files); now != seen && now != changed {
			changed = now
			settled.Reset(settle)
		}
	}
}

// tableStamp says how the file of the binding table looks from outside, where there is one.
func (s *Source) tableStamp() string {
	if s.bound == nil {
		return ""
	}
	return stamps([]string{s.bound.table.file()})
}

func (s *Source) renew(notify func(Notice)) {
	defer s.staples.changed()
	if s.bound != nil {
		notices, err := s.followTable()
		if err != nil {
			notices = []Notice{{Kind: NotRenewed, Err: err}}
		}
		for _, n := range notices {
			notify(n)
		}
		return
	}
	changed, err := s.Renew()
	all := *s.certificates.Load()
	if len(all) == 0 { // every one is an issuer's
		return
	}
	leaf := all[0].Leaf
	switch {
	case err != nil:
		notify(Notice{Kind: NotRenewed, Certificate: leaf, Err: err})
	case changed:
		notify(Notice{Kind: Renewed, Certificate: leaf})
	}
}

// watched returns the files of the settings, and whether some are in the Windows store.
func (s *Source) watched() (files []string, fromStore bool) {
	settings := s.settings
	if s.bound != nil {
		files = []string{cmp.Or(s.bound.table.File, DefaultTable), s.bound.table.file()} // a link, and where it leads to
		settings = nil
		s.mu.Lock()
		rows := slices.Clone(s.bound.unusable) // which may be mended
		s.mu.Unlock()
		for _, row := range *s.bound.rows.Load() {
			rows = append(rows, row.Binding)
		}
		for _, row := range rows {
			settings = append(settings, Certificate{File: row.File, KeyFile: row.KeyFile})
			if name, ok := strings.CutPrefix(row.Password, fileReference); ok {
				files = append(files, strings.TrimSuffix(name, "}"))
			}
		}
	}
	for _, c := range settings {
		fromStore = fromStore || c.File == "" && c.Issuer == nil
		for _, f := range []string{c.File, c.KeyFile, c.Staple} {
			if f != "" {
				files = append(files, f)
			}
		}
	}
	return files, fromStore
}

// stamps says how files look from outside: another text, another file.
func stamps(files []string) string {
	text := ""
	for _, f := range files {
		if info, err := os.Stat(f); err != nil {
			text += "?;"
		} else {
			text += fmt.Sprintf("%d %d;", info.Size(), info.ModTime().UnixNano())
		}
	}
	return text
}

// ending returns a notice for each certificate that has come nearer to its end by a step.
func (s *Source) ending(now time.Time) []Notice {
	var all []Notice
	own := len(*s.certificates.Load())
	if s.bound != nil {
		own += len(*s.bound.rows.Load())
	}
	for i, leaf := range s.Leaves() {
		left := int(leaf.NotAfter.Sub(now).Hours() / 24)
		if leaf.NotAfter.Before(now) {
			left = -1
		}
		step := -2 // none
		for _, days := range []int{30, 14, 7, 3, 1, -1} {
			if left <= days && left < 31 {
				step = days
			}
		}
		id := SHA256(leaf)
		if step == -2 || s.reported[id] == step || i >= own && step != -1 {
			continue
		}
		if s.reported == nil {
			s.reported = make(map[Thumbprint]int)
		}
		s.reported[id] = step
		all = append(all, Notice{Kind: Ends, Certificate: leaf, Days: left})
	}
	return all
}
