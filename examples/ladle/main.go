// Command ladle runs workflows from files, and sends, shows and compares messages, for
// those who write no Go.
//
//	ladle run FILE              run the workflows of FILE until Ctrl-C
//	ladle check FILE...         report every mistake in FILE with its line, run nothing
//	ladle send ADDRESS [FILE...] send messages over MLLP or HTTP and print what is answered
//	ladle load ADDRESS          send as many messages as an address takes, and print how fast it answers
//	ladle show FILE...          print messages for people, in JSON or XML, or what is wrong in them
//	ladle certificates create|show|export|import|bind|unbind|list|check
//	ladle diff FILE FILE        print what changes from one message to another
//
// `ladle COMMAND -h` tells more of each. The exit status is 0 when all went well, 1
// when it didn't, and 2 when the command line is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig/acme"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func main() {
	os.Exit(ladle(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// A command is one thing that ladle does.
type command struct {
	name, usage, about string
	// run defines its flags on fs, parses args and does its work.
	run func(ctx context.Context, c *call) error
}

// A call is one command being run.
type call struct {
	flags          *flag.FlagSet
	args           []string
	stdout, stderr io.Writer
}

var commands = []command{
	{"run", "run [flags] FILE", "run the workflows of FILE until Ctrl-C", run},
	{"check", "check FILE...", "report every mistake in FILE with its line, run nothing", check},
	{"send", "send [flags] ADDRESS [FILE|DIRECTORY...]", "send messages to an mllp://, mllps://, http:// or https:// address and print what is answered", send},
	{"load", "load [flags] ADDRESS", "send as many messages as an address takes, and print how fast it answers", load},
	{"show", "show [flags] FILE...", "print messages for people, in JSON or XML, or what is wrong in them", show},
	{"certificates", "certificates create|show|export|import|bind|unbind|list|check [flags] ...", "make certificates, bind them to ports, and check what an address shows", certificates},
	{"diff", "diff [flags] FILE FILE", "print what changes from one message to another", diff},
}

// errUsage says that the command line is wrong, and that the user has been told.
var errUsage = errors.New("usage")

// A statusError ends the command with a status of its own.
type statusError struct {
	status int
	error
}

func (e statusError) Unwrap() error { return e.error }

// errReported says that what went wrong has been printed already.
var errReported = errors.New("reported")

// ladle runs the command that args name and returns the exit status.
func ladle(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		usage(stdout)
		return 0
	}
	for _, cmd := range commands {
		if cmd.name != args[0] {
			continue
		}
		fs := flag.NewFlagSet("ladle "+cmd.name, flag.ContinueOnError)
		fs.SetOutput(stderr)
		fs.Usage = usageOf(fs, cmd.usage, cmd.about)
		err := cmd.run(ctx, &call{flags: fs, args: args[1:], stdout: stdout, stderr: stderr})
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		case !errors.Is(err, errReported):
			fmt.Fprintln(stderr, err)
		}
		if s, ok := errors.AsType[statusError](err); ok {
			return s.status
		}
		return 1
	}
	fmt.Fprintf(stderr, "ladle: there is no command %q\n", args[0])
	usage(stderr)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: ladle COMMAND ...")
	printCommands(w, commands)
}

func printCommands(w io.Writer, commands []command) {
	for _, cmd := range commands {
		fmt.Fprintf(w, "  %s\n        %s\n", cmd.usage, cmd.about)
	}
}

func usageOf(fs *flag.FlagSet, usage, about string) func() {
	return func() {
		fmt.Fprintf(fs.Output(), "usage: ladle %s\n%s.\n", usage, about)
		fs.PrintDefaults()
	}
}

// parse reads the flags and wants at least min other arguments, and no more than max
// when max isn't negative.
func (c *call) parse(min, max int) error {
	if err := c.flags.Parse(c.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage // flag has printed it
	}
	c.args = c.flags.Args()
	if len(c.args) < min || max >= 0 && len(c.args) > max {
		c.flags.Usage()
		return errUsage
	}
	return nil
}

// registry knows every type that this command brings along.
func registry() (*engine.Registry, error) {
	var r engine.Registry
	return &r, errors.Join(receivers.Register(&r), activities.Register(&r), acme.Register(&r))
}

// logger writes to w, a line for each event.
func logger(w io.Writer, level zapcore.Level) *zap.Logger {
	c := zap.NewDevelopmentEncoderConfig()
	c.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02 15:04:05.000")
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(c), zapcore.Lock(zapcore.AddSync(w)), level))
}

// interrupts returns a context that ends at the first Ctrl-C or SIGTERM. A second one
// ends the process at once with status 1.
func interrupts(ctx context.Context, stderr io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			if _, ok := <-signals; !ok {
				return
			}
			if n > 0 {
				os.Exit(1)
			}
			fmt.Fprintln(stderr, "Finishing what was taken; press Ctrl-C again to end at once.")
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		<-ended
		cancel()
	}
}
