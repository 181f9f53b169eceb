package receivers_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
)

// BenchmarkMLLP compares the whole receiver, with engine, header read and acknowledgement
// built, with a raw exchange of the same sizes, in turns in one run: over TCP, and over TLS
// with the same certificate. The ratio is of our messages a second to the raw ones.
func BenchmarkMLLP(b *testing.B) {
	c, _ := certificateFor(b, "127.0.0.1")
	for _, secure := range []bool{false, true} {
		for _, size := range []int{1 << 10, 64 << 10} {
			for _, connections := range []int{16, 64, 256} {
				b.Run(fmt.Sprintf("TLS=%v/bytes=%d/connections=%d", secure, size, connections), func(b *testing.B) {
					r := &receivers.MLLP{}
					var config *tls.Config
					if secure {
						r.TLS = &tlsconfig.Server{Certificates: []tlsconfig.Certificate{c}}
						source, err := r.TLS.Open(b.Context())
						if err != nil {
							b.Fatal(err)
						}
						b.Cleanup(func() { source.Close() })
						config = source.Config()
					}
					msg := message("a")
					msg = frame(msg + "ZZZ|" + strings.Repeat("x", size-len(msg)-5) + "\r")
					ours := startQuietly(b, r, accept)
					first := newExchange(b, ours, secure, msg, 1)
					answer := first.one(b, first.conns[0])
					both := []*exchanges{newExchange(b, ours, secure, msg, connections), newExchange(b, rawServer(b, config, len(msg), answer), secure, msg, connections)}
					var took [2]time.Duration
					for _, x := range both {
						x.run(b, 4*connections)
					}
					b.ResetTimer()
					const block = 4096
					for n := 0; n < b.N; n += block {
						for i, x := range both {
							began := time.Now()
							x.run(b, min(block, b.N-n))
							took[i] += time.Since(began)
						}
					}
					b.ReportMetric(float64(b.N)/took[0].Seconds(), "msg/s")
					b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-raw")
				})
			}
		}
	}
}

// startQuietly runs one workflow with r that logs nothing.
func startQuietly(b *testing.B, r *receivers.MLLP, do func(context.Context, *engine.Message) error) string {
	r.Address = "127.0.0.1:0"
	startEngine(b, nil, engine.Workflow{Name: "w", Receiver: r, Activities: []engine.Step{{Activity: engine.ActivityFunc(do)}}})
	return r.Addr().String()
}

// rawServer reads so many bytes and answers them, without a look at them.
func rawServer(b *testing.B, config *tls.Config, size int, answer []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	if config != nil {
		l = tls.NewListener(l, config)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				buf := make([]byte, size)
				for {
					if _, err := io.ReadFull(c, buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			})
		}
	})
	b.Cleanup(func() { l.Close(); wg.Wait() })
	return address
}

// exchanges send one frame again and again over their connections.
type exchanges struct {
	conns []net.Conn
	frame []byte
}

func newExchange(b *testing.B, address string, secure bool, frame string, connections int) *exchanges {
	x := &exchanges{frame: []byte(frame)}
	for range connections {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		if secure {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		b.Cleanup(func() { c.Close() })
		x.conns = append(x.conns, c)
	}
	return x
}

// one sends the frame and returns the answer, which ends with 1C 0D.
func (x *exchanges) one(b *testing.B, c net.Conn) []byte {
	if _, err := c.Write(x.frame); err != nil {
		b.Error(err)
		return nil
	}
	var answer []byte
	buf := make([]byte, 4096)
	for len(answer) < 2 || answer[len(answer)-2] != 0x1c {
		n, err := c.Read(buf)
		if err != nil {
			b.Error(err)
			return nil
		}
		answer = append(answer, buf[:n]...)
	}
	return answer
}

func (x *exchanges) run(b *testing.B, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for _, c := range x.conns {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for left.Add(-1) >= 0 {
				if _, err := c.Write(x.frame); err != nil {
					b.Error(err)
					return
				}
				for {
					n, err := c.Read(buf)
					if err != nil {
						b.Error(err)
						return
					}
					if n >= 2 && buf[n-2] == 0x1c {
						break
					}
				}
			}
		})
	}
	wg.Wait()
}

// serveUntilTold is the other process of BenchmarkMLLPIdle: a receiver.
func serveUntilTold() {
	const connections = 20_000
	r := &receivers.MLLP{Address: "127.0.0.1:0", MaxConnections: connections, MaxConnectionsPerPeer: connections}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: r}})
	if err == nil {
		err = e.Start(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(r.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// BenchmarkMLLPIdle holds ten thousand connections that have sent a message each, and
// reports what the process of the receiver takes of memory.
func BenchmarkMLLPIdle(b *testing.B) {
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LADLE_TEST_RECEIVER=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		var conns []net.Conn
		for range 10_000 {
			c, err := net.Dial("tcp", strings.TrimSpace(line))
			if err != nil {
				b.Fatalf("connection %d of %s: %v", len(conns), line, err)
			}
			conns = append(conns, c)
			if _, err := io.WriteString(c, frame(adt)); err != nil {
				b.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 512)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(residentBytes(b, cmd.Process.Pid))/(1<<20), "MiB")
		for _, c := range conns {
			c.Close()
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// residentBytes is what a process takes of the machine's memory.
func residentBytes(b *testing.B, pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Skip(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkMLLPLarge receives a message of 100 MiB and reports the most that the process has
// taken for it, the message that it sends among it.
func BenchmarkMLLPLarge(b *testing.B) {
	const size = 100 << 20
	sizes := make(chan int, 1)
	address := startQuietly(b, &receivers.MLLP{MessageLimit: 200 * engine.MiB}, func(_ context.Context, m *engine.Message) error {
		sizes <- len(m.Body())
		return nil
	})
	chunk := []byte(strings.Repeat("x", 1<<20))
	for b.Loop() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		before, most := residentBytes(b, os.Getpid()), int64(0)
		if _, err := io.WriteString(c, "\x0b"+adt+"OBX|1|ED|||"); err != nil {
			b.Fatal(err)
		}
		for range size / len(chunk) {
			if _, err := c.Write(chunk); err != nil {
				b.Fatal(err)
			}
			most = max(most, residentBytes(b, os.Getpid()))
		}
		if _, err := io.WriteString(c, "\r\x1c\r"); err != nil {
			b.Fatal(err)
		}
		if n := <-sizes; n < size {
			b.Fatalf("%d bytes arrived", n)
		}
		most = max(most, residentBytes(b, os.Getpid()))
		b.ReportMetric(float64(most-before)/(1<<20), "MiB")
		c.Close()
	}
}
