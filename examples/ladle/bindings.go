package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// Exit statuses of bind and unbind that scripts can tell apart.
const (
	statusNothingDone = 3 // already bound, or not bound
	statusPassword    = 4 // required, or wrong
	statusPermission  = 5
)

var bindStatus = map[tlsconfig.Code]int{
	tlsconfig.CodeAlreadyBound:     statusNothingDone,
	tlsconfig.CodeNotBound:         statusNothingDone,
	tlsconfig.CodePasswordRequired: statusPassword,
	tlsconfig.CodePasswordWrong:    statusPassword,
	tlsconfig.CodePermission:       statusPermission,
}

// tableFlags are those of every command about the binding table.
func tableFlags(fs *flag.FlagSet) *tlsconfig.Table {
	t := new(tlsconfig.Table)
	fs.StringVar(&t.File, "table", tlsconfig.DefaultTable, "the `file` of the binding table")
	fs.StringVar(&t.Owner, "owner", "", "whose binding it is; else the `name` of this account")
	return t
}

// storeFlags are those that name a Windows certificate store.
func storeFlags(fs *flag.FlagSet) *tlsconfig.Store {
	s := new(tlsconfig.Store)
	fs.StringVar(&s.Name, "store", "", "the Windows certificate `store`; My, which is Personal, when there is none")
	fs.TextVar(&s.Location, "location", tlsconfig.LocalMachine, "whose store it is: LocalMachine or CurrentUser")
	return s
}

// bindCertificate binds a certificate to an endpoint.
func bindCertificate(ctx context.Context, c *call) error {
	table, store := tableFlags(c.flags), storeFlags(c.flags)
	var certificate tlsconfig.Certificate
	c.flags.StringVar(&certificate.KeyFile, "key", "", "the `file` that has the private key, when FILE hasn't")
	c.flags.StringVar(&certificate.FriendlyName, "name", "", "the friendly `name` of one of several keys in FILE")
	c.flags.StringVar(&certificate.Subject, "subject", "", "in place of FILE: the newest valid certificate of the Windows store with this `subject`")
	c.flags.StringVar(&certificate.SAN, "san", "", "in place of FILE: the newest valid certificate of the Windows store for this host `name`")
	thumbprint := c.flags.String("thumbprint", "", "the certificate in FILE, or, without FILE, in the Windows store, that has this `thumbprint`")
	replace := c.flags.Bool("replace", false, "bind it also where another is bound")
	passwordFile := c.flags.String("password-file", "", "the `file` that has the password, and is read again whenever the certificate is")
	passwordEnv := c.flags.String("password-env", "", "the environment `variable` that has the password, where the workflows run, too")
	asJSON := c.flags.Bool("json", false, "print JSON")
	if err := c.parse(1, 2); err != nil {
		return err
	}
	if len(c.args) == 2 {
		certificate.File = c.args[1]
	}
	if *thumbprint != "" {
		if err := certificate.Thumbprint.UnmarshalText([]byte(*thumbprint)); err != nil {
			return fmt.Errorf("-thumbprint: %w", err)
		}
	}
	if certificate.File == "" {
		certificate.Store, certificate.Location = store.Name, store.Location
	}
	switch {
	case *passwordFile != "" && *passwordEnv != "":
		return errors.New("-password-file and -password-env: name one of them")
	case *passwordEnv != "":
		certificate.Password = tlsconfig.Secret("${env:" + *passwordEnv + "}")
	case *passwordFile != "":
		file, err := filepath.Abs(*passwordFile)
		if err != nil {
			return err
		}
		certificate.Password = tlsconfig.Secret("${file:" + file + "}")
	}
	table.Password = func(context.Context, string) (tlsconfig.Secret, error) { return password("", c.stderr) }
	bind := table.Bind
	if *replace {
		bind = table.Replace
	}
	o, err := bind(ctx, c.args[0], certificate)
	return sayOutcome(c, o, err, *asJSON)
}

// unbindCertificate removes the certificate of an endpoint.
func unbindCertificate(ctx context.Context, c *call) error {
	table := tableFlags(c.flags)
	asJSON := c.flags.Bool("json", false, "print JSON")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	o, err := table.Unbind(ctx, c.args[0])
	return sayOutcome(c, o, err, *asJSON)
}

// sayOutcome prints what has become of bind or unbind, and makes an exit status of it.
func sayOutcome(c *call, o tlsconfig.Outcome, failure error, asJSON bool) error {
	if asJSON {
		said := struct {
			Code     tlsconfig.Code     `json:"code"`
			Binding  *tlsconfig.Binding `json:"binding,omitempty"`
			Warnings []string           `json:"warnings,omitempty"`
			Error    string             `json:"error,omitempty"`
		}{Code: o.Code, Warnings: o.Warnings}
		if o.Binding != nil {
			b := withoutSealed(*o.Binding)
			said.Binding = &b
		}
		if failure != nil {
			said.Error = failure.Error()
		}
		if err := json.NewEncoder(c.stdout).Encode(said); err != nil {
			return err
		}
	} else if failure == nil {
		fmt.Fprintln(c.stdout, o)
		for _, w := range o.Warnings {
			fmt.Fprintln(c.stdout, "warning:", w)
		}
	} else {
		fmt.Fprintln(c.stderr, failure)
		if o.Code == tlsconfig.CodePasswordRequired {
			fmt.Fprintf(c.stderr, "name a -password-file or a -password-env, or set %s\n", passwordEnvironment)
		}
	}
	if failure == nil {
		return nil
	}
	if status, ok := bindStatus[o.Code]; ok {
		return statusError{status, errReported}
	}
	return errReported
}

// withoutSealed leaves a sealed password out, and says that there is one: scripts log what
// they read, and on Windows every account of the computer can open it.
func withoutSealed(b tlsconfig.Binding) tlsconfig.Binding {
	const sealed = "sealed:"
	if strings.HasPrefix(b.Password, sealed) {
		b.Password = sealed
	}
	return b
}

// listCertificates lists the table, or a store of Windows.
func listCertificates(_ context.Context, c *call) error {
	table, store := tableFlags(c.flags), storeFlags(c.flags)
	asJSON := c.flags.Bool("json", false, "print JSON")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	fromStore := false
	c.flags.Visit(func(f *flag.Flag) { fromStore = fromStore || f.Name == "store" || f.Name == "location" })
	if fromStore {
		return listStore(c, store, *asJSON)
	}
	rows, err := table.List()
	if err != nil {
		return err
	}
	if *asJSON {
		all := []tlsconfig.Binding{}
		for _, b := range rows {
			all = append(all, withoutSealed(b))
		}
		return json.NewEncoder(c.stdout).Encode(all)
	}
	if len(rows) == 0 {
		fmt.Fprintf(c.stdout, "nothing is bound in %s\n", table.File)
		return nil
	}
	return columns(c.stdout, "endpoint\tcertificate\tuntil\twhere\towner\tbound", func(line func(...any)) {
		for _, b := range rows {
			where := b.File
			if where == "" {
				where = fmt.Sprintf(`%s\%s %s%s%s`, b.Location, cmp.Or(b.Store, "My"), b.Thumbprint, b.Subject, b.SAN)
			}
			line(b.Endpoint, b.IssuedTo, b.NotAfter.Format(time.DateOnly), where, b.Owner, b.Bound.Local().Format(time.DateTime))
		}
	})
}

func listStore(c *call, store *tlsconfig.Store, asJSON bool) error {
	entries, err := store.List()
	if err != nil {
		return err
	}
	type entry struct {
		described
		PrivateKey bool `json:"privateKey"`
	}
	all := []entry{}
	for _, e := range entries {
		all = append(all, entry{describe(e.Certificate), e.HasKey})
	}
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(all)
	}
	return columns(c.stdout, "SHA-1\tcertificate\tuntil\tprivate key", func(line func(...any)) {
		for _, e := range all {
			line(e.SHA1, e.Subject, e.NotAfter.Format(time.DateOnly), map[bool]string{true: "yes", false: "no"}[e.PrivateKey])
		}
	})
}

// columns prints lines under a header, aligned.
func columns(w io.Writer, header string, rows func(line func(cells ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, header)
	rows(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprintln(tw)
	})
	return tw.Flush()
}
